"""Configs: every shipped one is sound, and every slip is named."""

import ast
import os

import pytest

from segnoise.engine.config import dump_config, load_config
from segnoise.engine.config_files import find_config, shipped_configs
from segnoise.engine.keys import DEFAULTS
from segnoise.engine.notation import part
from segnoise.engine.schema import complete
from segnoise.errors import ConfigError

PHANTOMS = {"type": "Phantoms", "split": "train"}


def leaf(text, folder):
    path = folder / "leaf.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"custom_hooks": [1]}, r"custom_hooks\.0 must be a dict with a 'type' or a hook.*not 1"),
        ({"custom_hooks": [{"type": "torch.nn.ReLU"}]}, "'torch.nn.ReLU' is no hook; derive it"),
        (
            {"custom_hooks": [{"type": "EarlyStoppingHook", "priority": "LOW"}]},
            r"custom_hooks\.0: EarlyStoppingHook: missing a required argument: 'monitor'",
        ),
        ({"custom_hooks": [{}]}, r"custom_hooks\.0 must be a dict with a 'type' or a hook.*not {}"),
        ({"param_scheduler": [{"type": "PolyLR", "begin": -1}]}, r"0\.begin must be at least 0"),
        (
            {"param_scheduler": [{"type": "PolyLR", "eta_min": -1}]},
            r"0\.eta_min must be at least 0",
        ),
        ({"optim_wrapper": {"optimizer": {"type": "SGD", "lr": 1e308}}}, "lr must be .*at most"),
        ({"nois": None}, "unknown config key nois; did you mean noise"),
        ({"train_cfg": {"max_iter": 5}}, r"train_cfg\.max_iter; did you mean max_iters"),
        ({"train_cfg": {"max_iters": 5, "max_epochs": 1}}, "either max_iters or max_epochs"),
        ({"train_cfg": {"max_iters": 0}}, "max_iters must be at least 1"),
        ({"noise": {"type": "SymmetricFlop", "rate": 0.1}}, "did you mean SymmetricFlip"),
        ({"noise": {"type": "SymmetricFlip", "rat": 0.1}}, r"noise\.rat; did you mean rate"),
        ({"noise": {"rate": 0.1}}, "noise has no 'type'"),
        (
            {"noise": {"type": "Compose", "noises": [{"type": "BoundaryErosion", "widht": 3}]}},
            "widht; did you mean width",
        ),
        ({"model": {"encodr": "resnet18"}}, r"model\.encodr; did you mean encoder"),
        ({"model": {"type": "Segmenter"}}, "did you mean Segmentor"),
        ({"model": {"type": "nowhere.Segmentor"}}, "cannot import"),
        ({"model": {"preprocessor": {"meen": 1}}}, r"preprocessor\.meen; did you mean mean"),
        ({"inference": {"mod": "slide"}}, r"inference\.mod; did you mean mode"),
        ({"train_data": {"type": "Cityscape"}}, "did you mean Cityscapes"),
        ({"train_data": {**PHANTOMS, "sed": 1}}, r"train_data\.sed; did you mean seed"),
        ({"optim_wrapper": {"clip_gard": {}}}, "did you mean clip_grad"),
        ({"optim_wrapper": {"optimizer": {"type": "SDG"}}}, "did you mean"),
        ({"optim_wrapper": {"optimizer": {"type": "SGD", "momentun": 0}}}, "did you mean momentum"),
        ({"param_scheduler": {"type": "PolyLR", "powr": 1}}, r"param_scheduler\.0\.powr"),
        ({"param_scheduler": [{"type": "PolyLR", "by_epoch": True}]}, "by iteration"),
        ({"batch_size": 0}, "batch_size must be at least 1 and at most 65536, not 0"),
        ({"amp": "fp8"}, "fp8"),
        ({"losses": [{"type": "CE", "weight": "big"}]}, r"losses\.0\.weight must be a number.*big"),
        ({"lr": 0.1}, r"key lr; did you mean optim_wrapper\.optimizer\.lr\?"),
        ({"check_data": "none"}, "check_data"),
    ],
)
def test_a_slip_is_named(config, words):
    with pytest.raises(ConfigError, match=words):
        complete(config)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise.rat": 0.1}, r"noise\.rat; did you mean rate"),
        ({"losses.3.alpha": 1}, "list of 1"),
        ({"batch_size.x": 1}, "which has no 'x'"),
        ({"train_dat.root": "x"}, "unknown config key train_dat; did you mean train_data"),
    ],
)
def test_a_slip_in_an_override_is_named(tmp_path, options, words):
    text = 'noise = dict(type="SymmetricFlip", rate=0.1)\nlosses = [dict(type="CE")]\n'
    path = leaf(text + "batch_size = 2\n", tmp_path)
    with pytest.raises(ConfigError, match=words):
        load_config(path, options)


def test_overrides_reach_dicts_lists_and_defaults(tmp_path):
    path = leaf('losses = [dict(type="ANL-CE", alpha=1)]\n', tmp_path)
    config = load_config(
        path, {"losses.0.alpha": 5, "train_cfg.val_interval": 7, "ema.momentum": 0.1}
    )
    assert config["losses"] == [{"type": "ANL-CE", "alpha": 5}]
    assert config["train_cfg"] == {"max_iters": 20000, "val_interval": 7}
    assert config["ema"] == {"momentum": 0.1}
    assert DEFAULTS["train_cfg"]["val_interval"] == 2000


def test_there_are_no_more_loaders_than_cores_unasked():
    assert 1 <= DEFAULTS["num_workers"] <= min(4, len(os.sched_getaffinity(0)))


def test_a_missing_config_names_the_nearest():
    with pytest.raises(ConfigError, match=r"unet_r18_phantoms_200\.py"):
        find_config("configs/phantoms/unet_r18_phantoms.py")


def test_the_nearest_config_is_one_that_can_be_trained():
    with pytest.raises(ConfigError, match=r"did you mean configs/phantoms/unet_r18_pha"):
        find_config("unet_r18_phantoms_200.py")
    with pytest.raises(ConfigError, match=r"did you mean configs/study/full\.py\?"):
        find_config("configs/study/ful.py")
    with pytest.raises(ConfigError, match=r"no config noises\.py$"):
        find_config("noises.py")


def test_a_config_that_fails_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"leaf\.py: ZeroDivisionError"):
        load_config(leaf("x = 1 / 0\n", tmp_path))


def leaves():
    folder = shipped_configs()
    assert folder is not None
    # parts of a training, and grids of trainings
    others = {"_base_", "benchmarks", "study"}
    return [
        p
        for p in sorted(folder.rglob("*.py"))
        if others.isdisjoint(p.parts) and p.stem != "__init__"
    ]


@pytest.mark.parametrize("path", leaves(), ids=lambda p: p.stem)
def test_shipped_configs_load_are_short_and_survive_a_dump(path, tmp_path):
    config = load_config(path)
    assert config["train_data"]
    assert config["losses"] or config["recipe"]
    body = ast.parse(path.read_text()).body
    code = [node for node in body if not isinstance(node, ast.Expr)]
    assert code[-1].end_lineno - code[0].lineno < 10, "a leaf is at most ten lines"
    again = load_config(leaf(dump_config(config), tmp_path))
    assert again == config


NOISES = {
    "voc": "AsymmetricFlip(transition_matrix={'confusions': 'voc', 'rate': 0.4})",
    "cityscapes": "AsymmetricFlip(transition_matrix={'confusions': 'cityscapes', 'rate': 0.4})",
    "buildings": "BoundaryErosion(width=3)",
    "camvid": "BoundaryErosion(width=3)",
    "ct": "Omission(rate=0.2, classes=[1, 2, 3])",
    "hippocampus": "RegionSwap(rate=0.4, classes=[1, 2])",
    "phantoms": "RegionSwap(rate=0.375, classes=[1, 2, 3, 4])",
}


def test_there_is_a_leaf_for_each_data_set_and_model_and_it_takes_any_noise():
    assert {(p.parent.name, p.stem.split("_" + p.parent.name[:3])[0]) for p in leaves()} == {
        ("voc", "unet_r34"), ("voc", "deeplabv3plus_r50"), ("cityscapes", "unet_r34"),
        ("cityscapes", "deeplabv3plus_r50"), ("camvid", "unet_r34"), ("camvid", "unet_r18"),
        ("phantoms", "unet_r18"), ("phantoms", "unet_mobile"), ("buildings", "unet_mobile"),
        ("ct", "unet_mobile"), ("hippocampus", "unet_mobile"),
    }  # fmt: skip
    for path in leaves():
        wanted = part(NOISES[path.parent.name], "noise model")
        assert load_config(path, {"noise": wanted})["noise"] == wanted


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"visualizer": {"type": "Visualizer"}}, "visualizer is one of mmengine's keys.*trackers="),
        ({"default_hooks": {}}, "default_hooks is one of mmengine's keys.*custom_hooks"),
        ({"env_cfg": {}}, "env_cfg is one of mmengine's keys.*--launcher"),
        ({"log_level": "INFO"}, "log_level .*leave it out"),
        ({"lr_config": {}}, r"lr_config is one .* write param_scheduler=\[dict\(type='PolyLR'"),
        ({"launcher": "none"}, "give --launcher on the command line"),
        ({"train_dataloader": {}}, "write train_data, train_transform, batch_size and num_workers"),
        ({"crop": 512}, "a name of the config's own begins with an underscore: _crop"),
        ({"trackers": [{"type": "WandbVisBackends"}]}, "trackers.0.type: no tracker .*WandbVis"),
        ({"trackers": [{"type": "LocalVisBackend", "x": 1}]}, "unknown config key trackers.0.x"),
        ({"trackers": [{"type": "AimVisBackend"}]}, "AimVisBackend needs aim: pip install aim"),
        ({"trackers": [], "vis_backends": []}, "vis_backends is mmengine's name of trackers"),
        ({"custom_imports": ["no_such_module_x"]}, "custom_imports: cannot import"),
        ({"custom_imports": {"imports": ["json"], "x": 1}}, "unknown config key custom_imports.x"),
        ({"custom_imports": 3}, "custom_imports must be of type list or str or dict, not 3"),
    ],
)
def test_keys_of_mmengine(config, words):
    with pytest.raises(ConfigError, match=words):
        complete(config)


def test_what_a_config_has_for_itself_is_left_out():
    full = complete({"_crop": 512, "helper": complete, "Kind": dict, "batch_size": 2})
    assert full["batch_size"] == 2
    assert not {"_crop", "helper", "Kind"} & full.keys()
    assert complete({"custom_imports": {"imports": ["json"]}})["custom_imports"] == ["json"]


def test_trackers_follow_a_run_beside_files_and_tensorboard(tmp_path):
    from segnoise.engine.mmengine_keys import visualizer

    backends = complete({"vis_backends": [{"type": "LocalVisBackend"}]})["trackers"]
    found = visualizer(tmp_path, backends)["vis_backends"]
    assert [entry["type"].__name__ for entry in found] == ["LocalVisBackend", "ListedEvents"]
    assert found[0]["save_dir"] == str(tmp_path)
