"""What a write did, as the terminal shows it."""

from errata.cli.edit.telemetry import show_telemetry


def test_numbers_are_lines_and_modules_are_rows(capsys):
    show_telemetry(
        {
            "steps": 2,
            "losses_nats": [3.0123456, 0.04, None],
            "groups": [["layer.5", "layer.4"], ["layer.5"]],
            "sites": {"up": {"cosine": 0.25, "moved_local": 1.0}, "down": {"cosine": None}},
        }
    )
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == ["steps 2", "losses_nats 3.01, 0.04, -", "groups layer.5 layer.4, layer.5", "sites:"]
    assert "cosine moved local" in lines
    assert "up 0.25 1" in lines
    assert "down - -" in lines
