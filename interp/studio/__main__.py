"""The command `python -m interp.studio`: α(r) by hand, live, in the browser."""

import socket
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import tyro

import stylegan_jax
from interp.argument_errors import flags_named
from interp.options import File, Models, in_order, models_of
from stylegan_jax import interrupts, values
from stylegan_jax.commands import cli
from stylegan_jax.commands.flags import Many, typed
from stylegan_jax.errors import InputError

PORT = 7865


@flags_named()
def studio(
    models: Models = (),
    *,
    base: File = None,
    transfer: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="MODEL")] = (),
    w: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="FILE …")] = (),
    directions: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="FILE …")] = (),
    out: Annotated[str, typed("FOLDER")] = "studio",
    port: Annotated[str | None, typed("N")] = None,
    browser: bool = True,
) -> None:
    """Opens a page on which the blend follows the mouse: a handle for every resolution, the face beside it.

    python -m interp.studio

    python -m interp.studio ffhq.pkl toon.pkl metfaces.pkl --w me.npz

    The page is served to this machine alone, at an address with a secret of this run. Ctrl-C ends it.

    Args:
      models: base and transfer models to begin with; others can be dropped onto the page.
      base: the model at α = 0 (default: the portraits that ship with the package).
      transfer: a model at α = 1 (default: the toons that ship with the package).
      w: ws of projected faces to show: .npy, .npz, .pt or folders of those.
      directions: to edit along: what interp.edit wrote, or files of other programs.
      out: a folder for what is saved and for what is dropped.
      port: of the address (default: 7865, or another where that is taken).
      browser: open no browser.
    """
    _check_installed()
    import uvicorn

    from interp.studio.guard import Guard
    from interp.studio.library import Library
    from interp.studio.painter import Painter
    from interp.studio.saving import Saver
    from interp.studio.server import Server

    shipped = stylegan_jax.shipped_models()
    recipe = models_of(*in_order(models, base, transfer), shipped)
    folder = Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError("is a file", "name a folder", file=f"--out {out}")
    library = Library([model.path for model in recipe.models], w, directions, shipped)
    painter, guard = Painter(library), Guard()
    start = library.beginning()
    painter.renderer(start.recipe)  # which refuses models that cannot be blended
    with _bound(port) as bound:
        address = f"http://127.0.0.1:{bound.getsockname()[1]}/?token={guard.token}"
        app = Server(painter, Saver(painter, folder), start, guard).app
        print(f"the studio is at {address}\nCtrl-C ends it", flush=True)
        if browser:
            webbrowser.open(address)
        settings = uvicorn.Config(app, log_level="warning", ws_max_size=1 << 16, timeout_graceful_shutdown=1)
        try:
            uvicorn.Server(settings).run(sockets=[bound])
        except interrupts.Terminated:
            raise
        except KeyboardInterrupt:  # as everybody ends it
            return


def _check_installed() -> None:
    """Raises InputError where the extra is missing."""
    try:
        import fastapi
        import uvicorn
        import websockets
    except ImportError as error:
        remedy = 'python -m pip install "stylegan-jax[studio]"'
        raise InputError(f"the studio needs {error.name}", remedy) from error
    del fastapi, uvicorn, websockets


def _bound(port: str | None) -> socket.socket:
    """A socket that waits for this machine's own connections; of the usual port, or another if that is taken."""
    wanted = PORT if port is None else values.natural(port, "--port", high=65535)
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", wanted))
    except OSError as error:
        if port is not None:
            bound.close()
            raise InputError(f"cannot be used ({error.strerror})", "choose another", file=f"--port {port}") from error
        bound.bind(("127.0.0.1", 0))
    bound.listen(128)
    return bound


if __name__ == "__main__":
    sys.exit(cli.run(studio, "python -m interp.studio"))
