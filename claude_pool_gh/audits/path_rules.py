"""Tells by its path alone that a file is not the repository's own work: vendored, generated, or of a binary format.

The rules go by what linguist leaves out of a repository's languages, with one difference: names under which people also
keep code of their own (`cache/`, `tools/`, `env/`, `*.d.ts`) leave nothing out: what is left out is not read.
A folder's name is looked at once, whatever number of files lies below it.
"""

from __future__ import annotations

import re
from typing import Final

from claude_pool_gh.audits.model import SkipReason

Verdict = tuple[SkipReason, str]
"""Why a path is left out, and by what."""

_VENDORED: Final = SkipReason.vendored
_GENERATED: Final = SkipReason.generated

_FOLDERS: Final = {
    **dict.fromkeys(
        (
            *("node_modules", "bower_components", "jspm_packages", "web_modules", ".yarn"),
            *("vendor", "vendors", "third_party", "third-party", "thirdparty"),
            *("3rdparty", "3rd_party", "3rd-party", "extern", "external", "externals"),
            *("godeps", "pods", "carthage", "ace-builds", "mathjax", "site-packages"),
            *(".venv", "venv", ".tox", ".nox", ".bundle", "bootstrap-datepicker"),
        ),
        _VENDORED,
    ),
    **dict.fromkeys(
        (
            *("__pycache__", "dist", "htmlcov", ".idea", ".next", ".nuxt", ".gradle"),
            *(".mypy_cache", ".pytest_cache", ".ruff_cache", "__snapshots__"),
        ),
        _GENERATED,
    ),
}
"""Names of folders, in lower case, at any depth."""
_ROOT_FOLDERS: Final = {"deps": _VENDORED, "dependencies": _VENDORED, "debian": _VENDORED}
_PATHS: Final = {
    ("gradle", "wrapper"): _VENDORED,
    ("docs", "_build"): _GENERATED,
    ("doc", "_build"): _GENERATED,
}
"""The last two folders of a path."""
_FOLDER_ENDINGS: Final = {
    ".framework": _VENDORED,
    ".xcodeproj": _GENERATED,
    ".xcworkspace": _GENERATED,
    ".egg-info": _GENERATED,
    ".dist-info": _VENDORED,
    ".imageset": _GENERATED,
}

_FILES: Final = {
    **dict.fromkeys(
        (
            *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"),
            *("bun.lock", "bun.lockb", "deno.lock", "cargo.lock", "poetry.lock", "pdm.lock"),
            *("uv.lock", "pixi.lock", "pipfile.lock", "composer.lock", "gemfile.lock"),
            *("flake.lock", "go.sum", "go.work.sum", "gopkg.lock", "glide.lock", "mix.lock"),
            *("esy.lock", "pubspec.lock", "podfile.lock", "packages.lock.json"),
            *(".terraform.lock.hcl", ".pnp.js", ".pnp.cjs", ".pnp.loader.mjs"),
        ),
        _GENERATED,
    ),
    **dict.fromkeys(
        (
            *("gradlew", "gradlew.bat", "mvnw", "mvnw.cmd", "configure", "config.guess"),
            *("config.sub", "aclocal.m4", "libtool.m4", "ltoptions.m4", "ltsugar.m4"),
            *("ltversion.m4", "lt~obsolete.m4", "cpplint.py", "erlang.mk", "rebar", "waf"),
            *("d3.js", "react.js", "vue.js", "ckeditor.js", "dojo.js", "html5shiv.js"),
        ),
        _VENDORED,
    ),
}
"""Names of files, in lower case."""

_FILE_ENDINGS: Final = {
    **dict.fromkeys(
        (
            *(".min.js", ".min.css", "-min.js", "-min.css"),
            *(".js.map", ".css.map", ".mjs.map", ".cjs.map"),
        ),
        _GENERATED,
    ),
    **dict.fromkeys(
        (
            *(".pb.go", ".pb.cc", ".pb.h", "_pb2.py", "_pb2.pyi", "_pb2_grpc.py", ".pb.swift"),
            *(".designer.cs", ".designer.vb", ".feature.cs", ".g.dart", ".freezed.dart"),
            *(".snap", ".nib", ".xcuserstate", ".xcworkspacedata"),
        ),
        _GENERATED,
    ),
}

_BINARY: Final = frozenset(
    (
        *("png", "jpg", "jpeg", "gif", "bmp", "ico", "icns", "webp", "avif", "tif", "tiff", "psd"),
        *("mp3", "mp4", "m4a", "ogg", "wav", "flac", "avi", "mov", "mkv", "webm"),
        *("woff", "woff2", "ttf", "otf", "eot", "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx"),
        *("zip", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "tar", "jar", "war", "ear", "whl"),
        *("so", "dylib", "dll", "exe", "o", "a", "lib", "obj", "class", "pyc", "pyo", "wasm"),
        *("sqlite", "sqlite3", "db", "mdb", "parquet", "npy", "npz", "pkl", "pt", "onnx", "bin"),
        *("keystore", "jks", "p12", "pfx", "mo", "dat"),
    )
)
"""Endings of names of formats that no reader takes for text."""

_LIBRARY: Final = re.compile(
    r"(?:jquery|bootstrap|angular|modernizr|prototype|mootools|backbone|underscore|knockout)"
    r"(?:[.-](?:ui|core|all|bundle|slim|custom|v?\d+(?:\.\d+)*))*\.(?:js|css|less|scss)"
)
"""A copy of a well-known library under its own name."""


def of_folder(folder: str) -> Verdict | None:
    """The reason why nothing in a folder is read; `folder` is its path from the root, without a slash at the end.

    Asked of a folder whose parents are read.
    """
    parts = folder.split("/")
    name = parts[-1].lower()
    if (why := _FOLDERS.get(name)) is not None:
        return why, f"the folder is called {parts[-1]}"
    if len(parts) == 1 and (why := _ROOT_FOLDERS.get(name)) is not None:
        return why, f"the folder at the root is called {parts[-1]}"
    if len(parts) > 1 and (why := _PATHS.get((parts[-2].lower(), name))) is not None:
        return why, f"the folder is called {parts[-2]}/{parts[-1]}"
    ending = name[name.rfind(".") :] if "." in name else ""
    if (why := _FOLDER_ENDINGS.get(ending)) is not None:
        return why, f"the folder's name ends with {ending}"
    return None


def of_file(name: str) -> Verdict | None:
    """The reason why a file of this name is not read, whatever is in it; `name` is without its folder."""
    low = name.lower()
    if (why := _FILES.get(low)) is not None:
        return why, f"files called {name} are {why.value}"
    at = low.rfind(".")
    if at < 0:
        return None
    if low[at + 1 :] in _BINARY:
        return SkipReason.binary, f"files that end with {low[at:]} are binary"
    two = low.rfind(".", 0, at)
    for begin in (two, low.rfind("_", 0, at), low.rfind("-", 0, at), at):
        if begin >= 0 and (why := _FILE_ENDINGS.get(low[begin:])) is not None:
            return why, f"files that end with {low[begin:]} are {why.value}"
    if low.endswith("_pb2_grpc.py"):
        return _GENERATED, "files that end with _pb2_grpc.py are generated"
    if _LIBRARY.fullmatch(low):
        return _VENDORED, f"{name} is a copy of a library"
    return None
