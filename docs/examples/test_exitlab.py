# SPDX-License-Identifier: MIT
"""What a machine of labgrid's measures, as tests: one a path, which fails as bench's own checks do."""
import pytest


@pytest.fixture
def shell(target):
    ssh = target.get_driver("SSHDriver")
    target.activate(ssh)
    return ssh


@pytest.mark.parametrize("mode", ["virtio", "vhost"])
def test_throughput(shell, mode, record_property):
    shell.run_check(f"bench run net-throughput --mode={mode} --reps=7", timeout=600)
    for line in shell.run_check("bench export last --format=ktap"):
        assert not line.startswith("not ok"), line
        if line.startswith("# "):
            record_property(*line[2:].split())
