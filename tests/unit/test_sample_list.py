from pathlib import Path

import numpy as np
import pytest

from maskgate.inference.card import InputShape
from maskgate.inference.image import encode_pnm
from maskgate.protocol.crop import Label, new_crop_id, parse
from maskgate.protocol.errors import ConfigurationError
from producer.camera import to_sample
from producer.images import FolderImages, audit_files
from producer.sample_list import Listed, read

HEADER = "file,crop_id,camera,weight,slice\n"
ID = "0" * 31 + "a"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("WithMask", "WithoutMask"):
        (tmp_path / name).mkdir()
        body, _ = encode_pnm(np.zeros((8, 8, 3), np.uint8))
        (tmp_path / name / "1.ppm").write_bytes(body)
    return tmp_path


def test_a_listed_sample_has_its_own_id_camera_weight_and_slice(folder: Path) -> None:
    (folder / "weights.csv").write_text(f"{HEADER}WithMask/1.ppm,{ID},yard,9.8,uncertain\n")
    images = FolderImages(
        audit_files(folder), InputShape(8, 8, 3), as_is=False, listed=read(folder)
    )
    crops = {
        crop.label: crop
        for crop in (parse(to_sample(image, "door", 5), audit=True) for image in images)
    }
    masked, bare = crops[Label.MASK], crops[Label.NO_MASK]
    assert (masked.crop_id, masked.camera_id, masked.weight) == (ID, "yard", 9.8)
    assert masked.slice == "uncertain"
    assert (bare.camera_id, bare.weight, bare.slice) == ("door", None, None)
    assert bare.crop_id != ID


def test_a_folder_without_a_list_has_no_weights(folder: Path) -> None:
    assert read(folder) == {}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f"WithMask/1.ppm,{ID},yard,0,", "line 2, weight: '0'"),
        (f"WithMask/1.ppm,{ID},yard,,", "line 2, weight: ''"),
        (f"WithMask/1.ppm,{ID},yard,nan,", "line 2, weight: 'nan'"),
        (f"WithMask/1.ppm,{ID},yard,10001,", "line 2, weight: '10001'"),
        (f"WithMask/1.ppm,{ID},a:b,1,", "line 2, camera: 'a:b'"),
        ("WithMask/1.ppm,x,yard,1,", "line 2, crop_id: 'x'"),
        (f"WithMask/1.ppm,{ID},yard,1,a b", "line 2, slice: 'a b'"),
        ("WithMask/1.ppm", "line 2, crop_id: ''"),
    ],
)
def test_a_wrong_line_is_named(folder: Path, line: str, wanted: str) -> None:
    (folder / "weights.csv").write_text(f"{HEADER}{line}\n")
    with pytest.raises(ConfigurationError) as caught:
        read(folder)
    assert f"weights.csv, {wanted}" in str(caught.value)


def test_a_list_without_a_column_is_named(folder: Path) -> None:
    (folder / "weights.csv").write_text("file,weight\n")
    with pytest.raises(ConfigurationError, match="no column camera, crop_id, slice"):
        read(folder)


def test_lines_of_a_list_keep_what_they_say(folder: Path) -> None:
    crop_id = new_crop_id()
    (folder / "weights.csv").write_text(f"{HEADER}WithMask/1.ppm,{crop_id},yard,500.000000,\n")
    assert read(folder) == {folder / "WithMask" / "1.ppm": Listed(crop_id, "yard", 500.0, None)}
