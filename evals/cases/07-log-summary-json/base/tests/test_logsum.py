from logsum.__main__ import main
from logsum.summary import summarise

LOG = "t1 INFO start\nt2 ERROR oops\n\nt3 INFO stop\n"


def test_counts():
    summary = summarise(LOG.splitlines())
    assert summary.lines == 4
    assert summary.levels == {"INFO": 2, "ERROR": 1, "other": 1}


def test_text(tmp_path, capsys):
    path = tmp_path / "app.log"
    path.write_text(LOG)
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["total", "4"]


def test_missing_file(capsys):
    assert main(["/nonexistent/app.log"]) == 1
    assert "logsum:" in capsys.readouterr().err
