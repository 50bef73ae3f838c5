"""Paths through which a change reaches further than the code it is in: one table, with the reasons.

A path belongs here where something obeys it that nobody starts on purpose for this change: an agent that reads it as
its instructions, a CI service, an editor, a shell or a package manager that acts on it as soon as the repository is
opened, entered, installed or committed to; or where it decides which code is installed, or who must approve.

What runs only because somebody builds or tests the code is left out: `Dockerfile`, `Makefile`, `package.json`,
`setup.py`, `conftest.py`. It is code like any other, the patch shows it, and most honest changes touch some of it; a
repository that wants them guarded names them under `changes.protected`.

Patterns are written as in CODEOWNERS: a name without a slash is meant in every folder. Case does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """Paths that are protected for one reason."""

    what: str
    why: str
    patterns: tuple[str, ...]


KINDS: Final = (
    Kind(
        "instructions and settings of coding agents",
        "the next agent of anybody in this repository obeys them, this reviewer too",
        (
            "AGENTS.md", "AGENTS.override.md", "AGENT.md", "CLAUDE.md", "GEMINI.md", "QWEN.md",
            ".claude/", ".claude.json", ".claude-plugin/", ".mcp.json", ".agents/", ".codex/", ".gemini/",
            ".qwen/", ".cursor/", ".cursorrules", ".cursorignore", ".windsurf/", ".windsurfrules", ".clinerules",
            ".roo/", ".roorules", ".roomodes", ".kilocode/", ".kiro/", ".aider*", ".continue/", ".continuerules",
            ".opencode/", "opencode.json", ".amazonq/", ".augment/", ".augment-guidelines", ".junie/", ".trae/",
            ".goosehints", ".openhands/", ".coderabbit.yaml", ".coderabbit.yml", ".pr_agent.toml",
            "copilot-instructions.md", "*.instructions.md", "*.prompt.md", "*.chatmode.md", "greptile.json",
        ),
    ),
    Kind(
        "automation of the hosting service",
        "workflows, owners, bots and their rights; this bot's own configuration too",
        (
            "/.github/", "/.gitlab/", "/.gitea/", "/.forgejo/", "CODEOWNERS", "renovate.json", "renovate.json5",
            ".renovaterc", ".renovaterc.json", ".renovaterc.json5", "dependabot.yml", ".mergify.yml",
            ".mergify/", ".bulldozer.yml", ".policy.yml", ".kodiak.toml", ".probot/", ".releaserc*",
        ),
    ),
    Kind(
        "continuous integration",
        "runs by itself, with the secrets of the pipeline",
        (
            ".circleci/", ".gitlab-ci.yml", ".gitlab-ci.yaml", "Jenkinsfile", "Jenkinsfile.*", "*.jenkinsfile",
            ".travis.yml", "azure-pipelines*.yml", "azure-pipelines*.yaml", ".azure-pipelines/",
            "bitbucket-pipelines.yml", ".buildkite/", ".drone.yml", ".drone.star", ".drone.jsonnet", ".woodpecker/",
            ".woodpecker.yml", ".woodpecker.yaml", ".teamcity/", "appveyor.yml", ".appveyor.yml", ".cirrus.yml",
            ".cirrus.star", "cloudbuild.yaml", "cloudbuild.yml", "cloudbuild.json", "buildspec.yml", "buildspec.yaml",
            ".semaphore/", ".tekton/", ".harness/", ".earthly/", "codefresh.yml", "wercker.yml", ".build.yml",
            ".builds/", ".zuul.yaml", ".zuul.d/", "zuul.yaml", ".prow.yaml", ".ci-operator.yaml", "screwdriver.yaml",
            ".readthedocs.yml", ".readthedocs.yaml", "netlify.toml", "vercel.json", "render.yaml", "amplify.yml",
            "fly.toml",
        ),
    ),
    Kind(
        "editors and development containers",
        "run tasks, extensions and commands when the folder is opened",
        (
            ".vscode/", "*.code-workspace", ".idea/", ".fleet/", ".zed/", ".nvim.lua", ".nvimrc", ".exrc", ".vimrc",
            ".dir-locals.el", "*.sublime-project", ".devcontainer/", ".devcontainer.json",
            "devcontainer.json", ".gitpod.yml", ".gitpod.Dockerfile", "devfile.yaml", ".devfile.yaml", ".codesandbox/",
            ".replit", ".idx/", "Tiltfile",
        ),
    ),
    Kind(
        "git's own files and hooks",
        "decide what git fetches, shows and runs on a commit",
        (
            ".gitmodules", ".gitattributes", ".gitconfig", ".lfsconfig", ".husky/",
            ".huskyrc*", ".githooks/", ".pre-commit-config.yaml", ".pre-commit-config.yml",
            ".pre-commit-hooks.yaml", "lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook/",
            ".overcommit.yml", ".lintstagedrc*", "lint-staged.config.*", ".simple-git-hooks*",
        ),
    ),
    Kind(
        "shells and tool managers",
        "act when somebody enters the folder",
        (
            ".envrc", ".ripgreprc", ".tool-versions", "mise.toml", ".mise.toml", ".mise/",
            "**/.config/mise/", ".rtx.toml", ".nvmrc", ".node-version", ".python-version", ".ruby-version",
            ".sdkmanrc", ".autoenv", ".zshrc", ".bashrc", "flake.nix", "shell.nix", "devenv.nix",
        ),
    ),
    Kind(
        "settings of package managers",
        "say where packages come from and what runs while they are installed",
        (
            ".npmrc", ".yarnrc", ".yarnrc.yml", ".yarn/", ".pnpmfile.cjs", ".pnpmfile.mjs", "pnpm-workspace.yaml",
            ".bunfig.toml", "bunfig.toml", "pip.conf", "pip.ini", ".pip/", "uv.toml", ".pypirc", ".condarc",
            ".cargo/", ".bundle/", ".gemrc", "nuget.config", ".mvn/",
            "gradle-wrapper.properties", "gradle-wrapper.jar", "init.gradle", ".sbtopts", ".jvmopts",
            "rust-toolchain", "rust-toolchain.toml", ".bazelrc", ".bazelversion",
        ),
    ),
    Kind(
        "locked dependencies",
        "decide which code of others is installed, and nobody can read the difference",
        (
            "*.lock", "*-lock.json", "*-lock.yaml", "*.lockfile", "*.lock.json", "bun.lockb", "go.sum", "go.work.sum",
            "npm-shrinkwrap.json", "packages.lock.json", "Package.resolved", ".terraform.lock.hcl",
            "verification-metadata.xml", "cabal.project.freeze",
        ),
    ),
)  # fmt: skip
"""What is protected in every repository."""

PROTECTED: Final = tuple(dict.fromkeys(pattern for kind in KINDS for pattern in kind.patterns))
