# Sourced by the other scripts, in the project's folder: makes virtual environments, once.

# Prints the first Python of 3.11 or later; fails, saying so, if there is none.
find_python() {
  local python
  for python in python3 python3.13 python3.12 python3.11 python3.14 python; do
    if is_new_enough "$python"; then
      command -v "$python"
      return
    fi
  done
  echo "error: no Python of 3.11 or later on the PATH — install one from python.org or your system's packages" >&2
  return 1
}

is_new_enough() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# environment FOLDER PYTHON [EXTRAS]: a virtual environment holding this project; quick when it is up to date.
environment() {
  local folder=$1 python=$2 extras=${3:+[$3]}
  local wanted
  wanted="$extras $(cksum <pyproject.toml) $PWD"
  if [ -x "$folder/bin/python" ] && grep -qxF "$wanted" "$folder/installed" 2>/dev/null; then
    return
  fi
  echo "making $folder with $("$python" --version) (a minute or two, once)"
  [ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
  "$folder/bin/python" -m pip install -qq --disable-pip-version-check --editable ".$extras"
  echo "$wanted" >>"$folder/installed"
}

# choose_python [EXTRAS]: sets PYTHON, unless it names an environment already, to that of .venv.
choose_python() {
  [ -z "${PYTHON:-}" ] || return 0
  environment .venv "$(find_python)" "${1:-}"
  PYTHON=$PWD/.venv/bin/python
}
