"""The page on the proxy is true: its Python does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.serve.proxy.upstreams import NAME, fronted, upstream

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "proxy.md"


def test_the_pages_python_corrects_asks_and_takes_back(tmp_path, capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    said = re.findall(r"print\(.*\)  # (.*)$", block, re.MULTILINE)
    with upstream() as fake, fronted(fake, tmp_path / "errata.db") as proxy:
        url = str(proxy.http.base_url).rstrip("/")
        program = block.replace("http://127.0.0.1:8319", url).replace('model="qwen"', f'model="{NAME}"')
        exec(compile(f"{program}\nclient.close()\nedits.close()\n", str(PAGE), "exec"), {})
        assert capsys.readouterr().out.splitlines() == said == ["the cave pinned"]
        assert [each["status"] for each in proxy.http.get("/v1/edits?status=reverted").json()["data"]] == ["reverted"]
