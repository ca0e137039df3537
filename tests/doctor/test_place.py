from __future__ import annotations

import os
from pathlib import Path

import pytest

from squad.doctor import Subject, Verdict, examine, mend, place
from squad.home import Home

OTHER = 65534  # nobody
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


class TestHome:
    def test_yours_alone(self, subject: Subject) -> None:
        assert place.home(subject).verdict == Verdict.OK

    def test_none_yet(self, tmp_path: Path) -> None:
        subject = Subject(Home(tmp_path / "a" / ".squad"))
        assert place.home(subject).what == f"no squad was started in {tmp_path}/a/.squad yet"
        assert place.files(subject) is None
        assert not (tmp_path / "a").exists()

    def test_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert place.home(Subject(Home(tmp_path / "file"))).what.endswith("is not a folder")

    def test_where_none_can_be_made(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr("os.access", lambda *_: False)
        found = place.home(Subject(Home(tmp_path / "a")))
        assert found.verdict == Verdict.FAIL
        assert f"{tmp_path} is not writable" in found.what

    def test_one_that_others_may_enter_is_closed_by_fix(self, subject: Subject) -> None:
        subject.home.path.chmod(0o750)
        findings = [finding for finding in examine(subject) if finding.name == "home"]
        assert (findings[0].verdict, findings[0].fixable) == (Verdict.FAIL, True)
        assert mend(subject, findings) == [f"closed {subject.home.path} to others: its mode was 0750 and is 0700 now"]
        assert place.home(subject).verdict == Verdict.OK

    def test_a_folder_that_is_no_home_is_not_touched(self, subject: Subject) -> None:
        subject.home.path.chmod(0o755)
        (subject.home.path / "thesis.txt").touch()
        [said] = mend(subject, [found for found in examine(subject) if found.name == "home"])
        assert "is not the home of a squad" in said
        assert subject.home.path.stat().st_mode & 0o777 == 0o755

    @as_root
    def test_somebody_elses(self, subject: Subject) -> None:
        os.chown(subject.home.path, OTHER, OTHER)
        assert "belongs to nobody, and you are root" in place.home(subject).what

    @as_root
    def test_files_of_somebody_else(self, subject: Subject) -> None:
        subject.home.logs.mkdir()
        for name in ("a", "b", "c", "d"):
            (subject.home.logs / name).touch()
        assert place.files(subject).verdict == Verdict.OK  # type: ignore[union-attr]
        for name in ("a", "b", "c", "d"):
            os.chown(subject.home.logs / name, OTHER, OTHER)
        found = place.files(subject)
        assert found is not None
        assert found.verdict == Verdict.FAIL
        assert "files in the home belong to nobody: logs/" in found.what
        assert found.what.endswith("and 1 more")
        assert found.todo == f"sudo chown -R root {subject.home.path}"


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt rw - tmpfs tmpfs rw
31 30 0:41 / /mnt/my\\040share rw shared:1 - nfs4 server:/x rw
32 22 0:42 / /mntx rw - xfs /dev/vdb rw
33 22 0:43 / /mntx rw - btrfs /dev/vdc rw
"""


class TestRoom:
    @pytest.mark.parametrize(
        ("path", "kind", "mounted"),
        [
            ("/srv", "ext4", "/"),
            ("/mnt/a", "tmpfs", "/mnt"),
            ("/mnt/my share/a", "nfs4", "/mnt/my share"),
            ("/mntx", "btrfs", "/mntx"),
            ("/mnty", "ext4", "/"),
        ],
    )
    def test_what_a_path_is_on(self, path: str, kind: str, mounted: str) -> None:
        assert place.mount_of(Path(path), MOUNTS) == (kind, mounted)

    @pytest.mark.parametrize(
        ("kind", "verdict"), [("ext4", Verdict.OK), ("nfs4", Verdict.FAIL), ("tmpfs", Verdict.WARN)]
    )
    def test_the_file_system(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch, kind: str, verdict: Verdict
    ) -> None:
        monkeypatch.setattr(place, "mount_of", lambda *_: (kind, "/x"))
        assert place.filesystem(subject).verdict == verdict

    @pytest.mark.parametrize(
        ("free", "inodes", "verdict"),
        [
            (2_000_000_000, 10_000, Verdict.OK),
            (2_000_000_000, 10, Verdict.FAIL),
            (999_000_000, 10_000, Verdict.WARN),
            (99_000_000, 10_000, Verdict.FAIL),
        ],
    )
    def test_the_disk(
        self, subject: Subject, monkeypatch: pytest.MonkeyPatch, free: int, inodes: int, verdict: Verdict
    ) -> None:
        real = list(os.statvfs(subject.home.path))
        real[0] = real[1] = 1000  # block and fragment size
        real[4] = free // 1000  # f_bavail
        real[5], real[7] = 1_000_000, inodes  # f_files, f_favail
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(real))
        found = place.disk(subject)
        assert found.verdict == verdict
        assert bool(found.todo) is (verdict != Verdict.OK)

    def test_a_disk_that_does_not_count_files(self, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
        real = list(os.statvfs(subject.home.path))
        real[5] = real[6] = real[7] = 0  # btrfs
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(real))
        assert "files fit" not in place.disk(subject).what

    def test_large_logs(self, subject: Subject) -> None:
        assert place.logs(subject) is None
        subject.home.logs.mkdir()
        (subject.home.logs / "crash-20260131T093000-1.txt").write_text("x" * 1000)
        small = place.logs(subject)
        assert small is not None
        assert small.what == "1.0 kB in 1 file, with 1 report of a crash (crash-*.txt)"
        with (subject.home.logs / "chatty.jsonl").open("wb") as file:
            file.truncate(1_100_000_000)  # sparse
        large = place.logs(subject)
        assert large is not None
        assert large.verdict == Verdict.WARN
        assert "the largest is chatty.jsonl" in large.what
