from __future__ import annotations

from pathlib import Path

from aos.tools.review.analysers import secrets
from tests.tools.review.trees import AWS_KEY, PASSWORD, TOKEN, opened


async def test_secrets_are_found_and_not_shown(tmp_path: Path) -> None:
    tree = await opened(
        tmp_path,
        {
            "config/app.yaml": f"region: eu\naws: {AWS_KEY}\n",
            "app.py": f'PASSWORD = "{PASSWORD}"\n',
            "deploy.sh": f"export GITHUB_TOKEN={TOKEN}\n",
            "key.txt": "-----BEGIN RSA PRIVATE KEY-----\nabc\n",
        },
    )

    analysis = await secrets.analyse(tree)

    found = {(item.file, item.line, item.rule, item.severity) for item in analysis.findings}
    assert ("config/app.yaml", 2, "aws-access-key", "critical") in found
    assert ("app.py", 1, "secret-keyword", "medium") in found
    assert ("deploy.sh", 1, "github-token", "critical") in found
    assert ("key.txt", 1, "private-key", "high") in found
    for value in (AWS_KEY, PASSWORD, TOKEN):
        assert value not in str(analysis)


async def test_secrets_are_found_in_files_that_are_not_utf8(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"a.conf": f"# clé\nkey = {AWS_KEY}\n".encode("latin-1")})

    [finding] = (await secrets.analyse(tree)).findings

    assert (finding.file, finding.line, finding.rule) == ("a.conf", 2, "aws-access-key")


async def test_secrets_in_tests_weigh_less(tmp_path: Path) -> None:
    tree = await opened(tmp_path, {"tests/test_a.py": f"key = '{AWS_KEY}'\n"})

    assert {finding.severity for finding in (await secrets.analyse(tree)).findings} == {"medium"}


async def test_the_key_of_the_storage_emulator_is_no_secret(tmp_path: Path) -> None:
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    tree = await opened(tmp_path, {"a.py": f'C = "AccountName=devstoreaccount1;AccountKey={key};"\n'})

    assert (await secrets.analyse(tree)).findings == []


async def test_files_that_hold_secrets_by_nature_are_named(tmp_path: Path) -> None:
    tree = await opened(
        tmp_path,
        {".env": "A=1\n", ".env.example": "A=\n", "certs/site.pfx": b"\0\1", "tests/id_rsa": "", "environment.py": ""},
    )

    analysis = await secrets.analyse(tree)

    assert [item.file for item in analysis.findings if item.rule == "sensitive-file"] == [".env", "certs/site.pfx"]
