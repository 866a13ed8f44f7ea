"""Configs of a team's own data, for the tools."""

import pytest
import tiny_training


@pytest.fixture
def leaf(folder_root, tmp_path):
    """A config over a team's own folder, and changes to it."""

    def write(**changes):
        config = tiny_training.config(tmp_path, train_transform=None, **changes)
        data = {"type": "FolderDataset", "root": str(folder_root)}
        for key, split in (("train_data", "train"), ("val_data", "val")):
            config[key] = {**data, "split": split, **changes.get(key, {})}
        config["test_data"] = changes.get("test_data")
        del config["data_root"]
        return tiny_training.write(tmp_path / "leaf.py", config)

    return write
