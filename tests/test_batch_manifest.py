"""Which videos a batch takes, how their results are called, and what a manifest may say."""

from __future__ import annotations

import pytest

from pyfaceau.batch import collect_videos
from pyfaceau.batch.manifest import people
from pyfaceau.errors import ManifestError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def manifest(folder, text):
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def names(videos):
    return [video.name for video in videos]


def test_folder_is_searched_with_its_subfolders(tmp_path):
    touch(tmp_path, "b/two.MP4", "a.avi", "b/notes.txt", ".hidden/c.mp4", "b/.d.mp4", "out/old.avi")
    assert names(collect_videos([tmp_path], tmp_path / "out")) == ["a", "b/two"]


def test_pattern_keeps_the_folders_after_its_fixed_part(tmp_path):
    touch(tmp_path, "in/x/a.mp4", "in/y/b.mp4", "in/y/frames/1.png", "in/y/none/1.txt")
    assert names(collect_videos([f"{tmp_path}/in/**/*.mp4"])) == ["x/a", "y/b"]
    assert names(collect_videos([f"{tmp_path}/in/y/*"])) == ["b", "frames"]


def test_results_of_videos_with_one_name_stay_apart(tmp_path):
    touch(tmp_path, "a/talk.mp4", "a/talk.avi", "b/talk.avi", "b/Talk.mp4")
    found = names(collect_videos([tmp_path / "a", *sorted((tmp_path / "b").iterdir())]))
    assert len({name.casefold() for name in found}) == 4
    assert found[:2] != ["talk", "talk"]


def test_file_that_is_given_twice_is_one_video(tmp_path):
    touch(tmp_path, "a.mp4")
    assert len(collect_videos([tmp_path, tmp_path / "a.mp4", f"{tmp_path}/*.mp4"])) == 1


@pytest.mark.parametrize(
    "text", ["path,Person,group\na.mp4,Ann,1\nb.mp4,,2\n", "path; Person; group\na.mp4;Ann;1\n\nb.mp4;;2"]
)
def test_manifest_keeps_its_columns(tmp_path, text):
    touch(tmp_path, "a.mp4", "b.mp4")
    first, second = collect_videos([manifest(tmp_path, text)])
    assert (first.path, first.person) == (str(tmp_path / "a.mp4"), "Ann")
    assert dict(first.columns) == {"person": "Ann", "group": "1"}
    assert dict(second.columns) == {"person": "", "group": "2"}


def test_video_that_does_not_exist_is_a_failure_of_that_video_only(tmp_path):
    assert names(collect_videos([manifest(tmp_path, "path\nsub/gone.mp4\n")])) == ["sub/gone"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.mp4\n", "must be `path`"),
        ("", "must be `path`"),
        ("path\n", "no videos in"),
        ("path,path\na.mp4,b.mp4\n", "'path' is there 2 times"),
        ("path,\na.mp4,1\n", "a column has no name"),
        ("path,AU12_r\na.mp4,1\n", "AU12_r.* of their own"),
        ("path,frame\na.mp4,1\n", "'frame' of their own"),
        ("path,group\na.mp4\n", "line 2: 1 values for 2 columns"),
        ("path,group\n,1\n", "line 2: no path"),
        ("path\na.mp4\na.mp4\n", "listed twice"),
        ("path\na.mp4\0\n", "no path|not a table"),
        ('path\n"a.mp4\n', "not a table"),
        ("path,neutral\na.mp4,gone.mp4\n", "line 2: neutral is a recording"),
        ("path,neutral\na.mp4,9-3\n", "line 2: frames 9-3"),
        ("path,neutral\na.mp4,0-3\n", "line 2: frames 0-3"),
    ],
)
def test_wrong_manifest_names_the_line_and_the_remedy(tmp_path, text, message):
    touch(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(ManifestError, match=message):
        collect_videos([manifest(tmp_path, text)])


def test_manifest_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"path\n\xff\xfe\x00.mp4\n")
    with pytest.raises(ManifestError, match="not UTF-8"):
        collect_videos([tmp_path / "list.csv"])
    with (tmp_path / "list.csv").open("wb") as stream:
        stream.truncate(2**30)  # sparse: nothing of it may be read
    with pytest.raises(ManifestError, match="larger than 64 MB"):
        collect_videos([tmp_path / "list.csv"])


def test_people_share_one_neutral(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    text = "path,person,neutral\na.mp4,Ann,\nb.mp4,Ann,{}\nc.mp4,,yes\n"
    group, alone = people(collect_videos([manifest(tmp_path, text.format("c.mp4"))]))
    assert [video.neutral for video in group] == [str(tmp_path / "c.mp4")] * 2
    assert alone[0].neutral == alone[0].path
    with pytest.raises(ManifestError, match="put that one first"):
        people(collect_videos([manifest(tmp_path, text.format("1-20"))]))
    both = "path,person,neutral\na.mp4,Ann,b.mp4\nb.mp4,Ann,c.mp4\n"
    with pytest.raises(ManifestError, match="one `neutral`"):
        people(collect_videos([manifest(tmp_path, both)]))
    frames = people(collect_videos([manifest(tmp_path, "path,neutral\na.mp4,5-20\n")]))
    assert frames[0][0].neutral_frames == (5, 20)
