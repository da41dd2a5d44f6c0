"""TensorFlow pickles: equal to the official conversion, or refused where PyTorch has no counterpart."""

import dataclasses

import numpy as np
import pytest

import convert
from convert import reading
from convert.assembly import assemble
from convert.pickles import unpickle
from convert.pickles.allowed import Instance
from stylegan_jax.errors import InputError
from tests.golden_data import golden, load_npz
from tests.tiny_models import tiny_model

FILES = {"s10_tf_ada64": "stylegan2-ada (TensorFlow)", "s11_tf_sg2_32": "stylegan2 (TensorFlow)"}


def tree_of(name):
    return unpickle.load(memoryview(golden(f"tf/{name}.pkl").read_bytes()))


def model_of(tree, networks=None):
    return assemble(reading.recognise(tree), networks, file_size=10**9)


def network(variables, components=(), version=5, **arguments):
    state = {"version": version, "name": "x", "static_kwargs": arguments, "components": dict(components)}
    state |= {"build_module_src": "raise SystemExit", "build_func_name": "x", "variables": list(variables.items())}
    return Instance("dnnlib.tflib.network", "Network", state)


def as_tensorflow(model, version=5):
    """A model as the TensorFlow programs would have saved it, by the definitions of its layers."""
    config = model.config.generator
    top, synthesis, mapping = {"dlatent_avg": model.networks["G_ema"]["mapping.w_avg"]}, {}, {}
    for name, leaf in model.networks["G_ema"].items():
        part, *path, leaf_name = name.split(".")
        if part == "mapping" and path:
            layer = "LabelEmbed" if path[0] == "embed" else f"Dense{path[0][2:]}"
            mapping[f"{layer}/{leaf_name}"] = leaf.T
        elif part == "synthesis" and leaf_name != "resample_filter":
            synthesis |= synthesis_variable(int(path[0][1:]), path[1:], leaf_name, leaf)
    components = {"synthesis": network(synthesis, version=version), "mapping": network(mapping, version=version)}
    sizes = {"resolution": config.img_resolution, "latent_size": config.z_dim, "dlatent_size": config.w_dim}
    return network(top, components, version, label_size=config.c_dim, architecture=config.architecture, **sizes)


def synthesis_variable(size, layer, leaf_name, leaf):
    if leaf_name == "const":
        return {"4x4/Const/const": leaf[None]}
    block = {"conv0": "Conv0_up", "conv1": "Conv" if size == 4 else "Conv1", "torgb": "ToRGB", "skip": "Skip"}[layer[0]]
    name = f"{size}x{size}/{block}/"
    if leaf_name == "noise_const":
        log = size.bit_length() - 1
        return {f"noise{0 if size == 4 else 2 * log - 5 + (layer[0] == 'conv1')}": leaf[None, None]}
    if layer[1:] == ["affine"]:
        return {name + "mod_weight": leaf.T} if leaf_name == "weight" else {name + "mod_bias": leaf - np.float32(1)}
    if leaf_name == "weight":
        hwio = np.moveaxis(leaf, (0, 1), (3, 2))
        return {name + "weight": np.rot90(hwio, 2) if block in ("Conv0_up", "Skip") else hwio}
    return {name + leaf_name: leaf}


@pytest.mark.parametrize("name", FILES)
def test_tensors_are_those_of_the_official_conversion(name):
    expected, found = load_npz(f"tf/{name}.state.npz"), convert.read(golden(f"tf/{name}.pkl"))
    assert {f"G_ema.{key}" for key in found.networks["G_ema"]} == set(expected)
    for key, leaf in found.networks["G_ema"].items():
        np.testing.assert_array_equal(leaf, expected[f"G_ema.{key}"], key, strict=True)
    assert list(found.networks) == ["G", "D", "G_ema"] and found.lineage["format"] == FILES[name]
    assert "notes" not in found.lineage


def test_configurations_follow_the_stored_arguments():
    ada, sg2 = (convert.read(golden(f"tf/{name}.pkl")).config for name in FILES)
    assert ada.discriminator is not None and sg2.discriminator is not None
    assert ada.generator.channel_base == 1024 and ada.generator.mapping_layers == 2
    assert (ada.generator.num_fp16_res, ada.generator.conv_clamp) == (4, 256)
    assert (ada.discriminator.mbstd_group_size, sg2.discriminator.mbstd_group_size) == (4, None)
    assert sg2.generator.mapping_layers == 8 and sg2.generator.img_resolution == 32


@pytest.mark.parametrize("index", [0, 2])
def test_a_bare_generator_is_a_g_ema(index):
    tree = tree_of("s10_tf_ada64")
    found, name = model_of(tree[index]), ("G", "", "G_ema")[index]
    assert list(found.networks) == ["G_ema"]
    expected = model_of(tree).networks[name]
    for key, leaf in found.networks["G_ema"].items():
        np.testing.assert_array_equal(leaf, expected[key])


def test_source_in_the_file_is_text(tmp_path):
    """The official loader would run it."""
    data = golden("tf/s10_tf_ada64.pkl").read_bytes()
    assert b"# source removed" in data
    (tmp_path / "x.pkl").write_bytes(data.replace(b"# source removed", b"raise SystemExit"))
    assert convert.read(tmp_path / "x.pkl").config == convert.read(golden("tf/s10_tf_ada64.pkl")).config


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_every_architecture_is_read(architecture):
    original = tiny_model(architecture=architecture, c_dim=3, mapping_layers=3)
    found = model_of(as_tensorflow(original))
    assert dataclasses.replace(found.config.generator, channel_max=8, channel_base=32768) == original.config.generator
    for key, leaf in original.networks["G_ema"].items():
        np.testing.assert_allclose(found.networks["G_ema"][key], leaf, atol=1e-6, err_msg=key)


def test_a_conditional_discriminator_without_mapping_layers_is_read():
    """The default of stylegan2-ada: the label embedding itself projects."""
    rng = np.random.RandomState(0)
    shapes = {"FromRGB": (1, 1, 3, 8), "Conv0": (3, 3, 8, 8), "Conv1_down": (3, 3, 8, 8), "Skip": (1, 1, 8, 8)}
    variables = {f"8x8/{name}/weight": rng.randn(*shape) for name, shape in shapes.items()}
    variables |= {f"8x8/{name}/bias": rng.randn(8) for name in ("FromRGB", "Conv0", "Conv1_down")}
    variables |= {"4x4/Conv/weight": rng.randn(3, 3, 9, 8), "4x4/Conv/bias": rng.randn(8)}
    variables |= {"4x4/Dense0/weight": rng.randn(128, 8), "4x4/Dense0/bias": rng.randn(8)}
    variables |= {"Output/weight": rng.randn(8, 8), "Output/bias": rng.randn(8)}
    variables |= {"LabelEmbed/weight": rng.randn(5, 8), "LabelEmbed/bias": rng.randn(8)}
    generator = as_tensorflow(tiny_model())
    found = model_of((generator, network(variables, label_size=5, resolution=8), generator))
    config = found.config.discriminator
    assert config is not None
    assert (config.mapping_layers, config.c_dim, config.mapping_lr_multiplier) == (0, 5, 0.1)
    np.testing.assert_array_equal(
        found.networks["D"]["mapping.embed.weight"], variables["LabelEmbed/weight"].T.astype(np.float32)
    )


def test_arguments_of_forks_are_left_aside_where_the_shapes_decide():
    tree = tree_of("s10_tf_ada64")
    for instance in tree:
        instance.state["static_kwargs"] |= {"resolution_w": 64, "resolution_h": 64, "verbose": True, "impl": "cuda"}
        del instance.state["static_kwargs"]["fmap_base"]
    assert model_of(tree).config.generator == convert.read(golden("tf/s10_tf_ada64.pkl")).config.generator


def test_what_is_no_stylegan2_is_named():
    tree = tree_of("s10_tf_ada64")
    tree[0].state["version"] = 3
    with pytest.raises(InputError, match="StyleGAN1 or older"):
        model_of(tree)
    progressive = as_tensorflow(tiny_model())
    progressive.state["components"]["synthesis"].state["variables"].append(
        ("ToRGB_lod3/weight", np.zeros((1, 1, 8, 3)))
    )
    with pytest.raises(InputError, match="progressive configuration"):
        model_of(progressive)
    conditional = as_tensorflow(tiny_model(), version=4)
    conditional.state["components"]["mapping"].state["variables"].append(("LabelConcat/weight", np.zeros((3, 16))))
    with pytest.raises(InputError, match="from before ADA"):
        model_of(conditional)
    oblong = as_tensorflow(tiny_model())
    variables = oblong.state["components"]["synthesis"].state["variables"]
    variables[:] = [(name, leaf[..., :3] if name.endswith("const") else leaf) for name, leaf in variables]
    with pytest.raises(InputError, match="not square"):
        model_of(oblong)


def test_variables_of_a_fork_are_named():
    fork = as_tensorflow(tiny_model())
    fork.state["components"]["synthesis"].state["variables"].append(("8x8/Attention/weight", np.zeros((4, 4))))
    with pytest.raises(InputError, match=r"1 tensors have no counterpart .* synthesis/8x8/Attention/weight \(4, 4\)"):
        model_of(fork)


def test_a_missing_variable_is_named_as_the_official_tensor():
    tree = tree_of("s10_tf_ada64")
    variables = tree[2].state["components"]["synthesis"].state["variables"]
    variables[:] = [pair for pair in variables if pair[0] != "16x16/Conv1/mod_bias"]
    with pytest.raises(InputError, match=r"synthesis.b16.conv1.affine.bias: missing, expected \(32,\)"):
        model_of(tree)
