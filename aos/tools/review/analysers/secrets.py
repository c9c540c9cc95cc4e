"""Secrets in files of any kind, by detect-secrets, and files that should never be in a code base."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any

from aos.tools.review.analysers.analysis import Analyser, Analysis, not_analysed
from aos.tools.review.finding import SEVERITIES, Finding, Severity
from aos.tools.review.languages import is_test
from aos.tools.review.process import PATIENCE, inspect
from aos.tools.review.source_tree import SourceTree

NAME = "detect-secrets"
_SEVERITIES: dict[str, Severity] = {
    "Private Key": "critical",
    "AWS Access Key": "critical",
    "Azure Storage Account access key": "critical",
    "GitHub Token": "critical",
    "GitLab Token": "critical",
    "Stripe Access Key": "critical",
    "OpenAI Token": "critical",
    "Secret Keyword": "medium",
    "Base64 High Entropy String": "low",
    "Hex High Entropy String": "low",
    "Basic Auth Credentials": "high",
}
_OTHERWISE: Severity = "high"
_SENSITIVE_NAME = re.compile(
    r"(?i)(?:\.env(?:\.(?!example|sample|template|dist|test)[\w-]+)?|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]+\.(?:pfx|p12|jks"
    r"|keystore|kdbx)|\.pypirc|\.netrc|credentials\.json)"
)


async def analyse(tree: SourceTree, patience: float = PATIENCE) -> Analysis:
    """Search every text file but generated ones. Lines marked `pragma: allowlist secret` are passed over."""
    files = [file.path for file in tree.files if not file.generated]
    found = await inspect(NAME, "secrets", {"root": str(tree.root), "files": files}, patience=patience)
    findings = [_finding(item) for item in found["found"]]
    findings += [_sensitive_file(path) for path in sorted(tree.paths()) if _is_sensitive(path)]
    findings += not_analysed(NAME, "security", sorted(found["failed"].items()))
    return Analysis(findings, {"files_searched": len(files), "not_analysed": len(found["failed"])})


def _finding(item: dict[str, Any]) -> Finding:
    path, kind = item["file"], item["type"]
    return Finding(
        tool=NAME,
        rule=re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-"),
        severity=_severity(path, kind),
        file=path,
        line=max(1, item["line"]),
        title=f"Possible secret ({kind})",
        evidence=item["evidence"],
        remedy="Take it out, read it from a setting or a vault, and change it: the history still has it.",
        domain="security",
    )


def _severity(path: str, kind: str) -> Severity:
    """Two steps lower in tests, where most secrets are made up; one in prose, which shows examples."""
    doubt = 2 if is_test(path) else 1 if path.lower().endswith((".md", ".rst", ".txt")) else 0
    severity = _SEVERITIES.get(kind, _OTHERWISE)
    return SEVERITIES[min(SEVERITIES.index(severity) + doubt, len(SEVERITIES) - 1)]


def _is_sensitive(path: str) -> bool:
    return _SENSITIVE_NAME.fullmatch(PurePosixPath(path).name) is not None and not is_test(path)


def _sensitive_file(path: str) -> Finding:
    return Finding(
        tool=NAME,
        rule="sensitive-file",
        severity="high",
        file=path,
        title=f"{PurePosixPath(path).name} usually holds secrets and is part of the code base",
        remedy="Take it out, add its name to .gitignore, and change what it holds.",
        domain="security",
    )


ANALYSER = Analyser(NAME, "security", analyse, distribution="detect-secrets")
