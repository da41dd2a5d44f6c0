from pathlib import Path

import pytest

from stylegan_jax.errors import InputError
from stylegan_jax.storage.downloads import addresses
from stylegan_jax.storage.downloads.public import LICENCES, PUBLIC


def url(text):
    found = addresses.find(text)
    return found and found.url


def test_paths_and_shipped_names_are_no_addresses():
    for path in ("portraits", "./ffhq.pkl", "a/b:c.pkl", "C:\\faces\\ffhq.pkl", "c:/x.pkl", ""):
        assert addresses.find(path) is None, path


def test_what_has_a_scheme_is_an_address():
    assert url("https://h/a/ffhq.pkl") == "https://h/a/ffhq.pkl"
    assert url("HTTPS://h/ffhq.pkl#part") == "https://h/ffhq.pkl"
    assert url("gs://b/a#1.pkl") == "gs://b/a#1.pkl"


@pytest.mark.parametrize("text", ["https://h/a.pkl", "gs://b/toon.pkl", "s3://b/toon.pkl", "hf://o/r/f.pkl"])
def test_the_slash_that_a_path_loses_is_seen_again(text):
    assert url(Path(text)) == url(text)


def test_a_file_that_is_there_comes_before_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gs:").mkdir()
    (tmp_path / "gs:" / "x").touch()
    assert addresses.find("gs:/x") is None
    assert url("afhqcat-512") == PUBLIC["afhqcat-512"].address
    (tmp_path / "afhqcat-512").touch()
    assert addresses.find("afhqcat-512") is None


def test_files_on_hugging_face_have_owner_repository_and_perhaps_a_revision(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert url("hf://o/r/f.pkl") == "https://huggingface.co/o/r/resolve/main/f.pkl"
    assert url("hf://o/r@v1.0/a b/f.pkl") == "https://huggingface.co/o/r/resolve/v1.0/a%20b/f.pkl"
    for wrong in ("hf://o/r", "hf://f.pkl", "hf://o/r/", "hf://o/r/folder/"):
        with pytest.raises(InputError, match="is no file on Hugging Face — write hf://owner/repo/file"):
            addresses.find(wrong)


@pytest.mark.parametrize("text", ["https://", "https:///x.pkl", "http://[::1/x", "https://h:port/x"])
def test_an_address_without_a_host_is_refused(text):
    with pytest.raises(InputError, match="is no address — write https://HOST/PATH/FILE"):
        addresses.find(text)


def test_the_file_of_an_address_has_a_plain_name():
    names = {
        "https://h/a/ffhq.pkl?download=1": "ffhq.pkl",
        "https://h": "model",
        "https://h/.record.json": "record.json",
    }
    names |= {"https://h/a%2Fb%00.pkl": "a_b_.pkl", "gs://b/run/toon.pkl": "toon.pkl"}
    for text, name in names.items():
        address = addresses.find(text)
        assert address and address.file_name == name


def test_passwords_and_signatures_are_not_shown():
    shown = {"https://me:secret@h/x.pkl": "https://h/x.pkl", "https://h/x.pkl?X-Amz-Signature=1": "https://h/x.pkl"}
    shown |= {"https://h/x.pkl?download=1": "https://h/x.pkl?download=1", "hf://o/r@v/x": "hf://o/r@v/x"}
    for text, expected in shown.items():
        address = addresses.find(text)
        assert address and address.shown == expected


def test_file_urls_are_paths():
    assert addresses.find("file:///a/b%20c.pkl") is None
    assert (
        addresses.path_of("file:///a/b%20c.pkl") == Path("/a/b c.pkl") == addresses.path_of(Path("file:///a/b%20c.pkl"))
    )


def test_the_table_of_public_models_is_whole_and_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text()
    for name, model in PUBLIC.items():
        assert f"| `{name}` |" in page and model.address in page
        assert model.address.startswith("https://nvlabs-fi-cdn.nvidia.com/") and model.licence in LICENCES
        assert model.family is None or model.family in PUBLIC
    assert all(link in page for link in LICENCES.values())
    assert len({model.address for model in PUBLIC.values()}) == len(PUBLIC)
