"""Completion for bash, zsh and fish, as files that a package installs.

They know every command, option and value by themselves: no Python starts when Tab is pressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tools.command_line import PROGRAM, Command, Group, Parameter, commands, global_options, groups

FUNCTION = "_offspot_metrics"


# ------------------------------------------------------------------- bash


def bash() -> str:
    """A function for `complete`; it needs nothing of the package bash-completion."""
    inner = [group.name for group in groups() if group.name]
    lines = [
        f"# Completion of {PROGRAM} for bash. Made by tools/make_man.py.",
        f"{FUNCTION}() {{",
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}",
        "    local command= word",
        "    # bash takes --format=json for three words.",
        '    [[ $previous == "=" ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}',
        '    [[ $current == "=" ]] && current=',
        '    for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do',
        "        case $command in",
        '            "") [[ $word == -* ]] || command=$word ;;',
        f'            {" | ".join(inner)}) [[ $word == -* ]] || command+=" $word" ;;',
        "        esac",
        "    done",
        "    COMPREPLY=()",
        '    case "$command $previous" in',
        *_bash_values("", global_options()),
        *(line for command in commands() for line in _bash_values(command.name, command.options)),
        "    esac",
        '    case "$command" in',
        *(f'        "{group.name}") {_bash_group(group)} ;;' for group in groups()),
        *(f'        "{command.name}") {_bash_command(command)} ;;' for command in commands()),
        "    esac",
        "}",
        f"complete -F {FUNCTION} {PROGRAM}",
    ]
    return "\n".join(lines) + "\n"


def _bash_values(command: str, options: Iterable[Parameter]) -> Iterator[str]:
    """What may follow each option that takes a value."""
    for option in options:
        if option.value:
            patterns = " | ".join(f'"{command} {name}"' for name in option.names)
            yield f"        {patterns}) {_bash_value(option)}; return ;;"


def _bash_value(option: Parameter) -> str:
    if option.words:
        return _bash_reply(option.words)
    if option.is_path:
        return f"compopt -o {'dirnames' if option.value == 'DIR' else 'default'}"
    return ":"


def _bash_group(group: Group) -> str:
    options = [] if group.name else _names(global_options())
    return _bash_reply([*(name for name, _ in group.choices), *options])


def _bash_command(command: Command) -> str:
    reply = _bash_reply(_names(command.all_options))
    if command.arguments:
        return f"if [[ $current == -* ]]; then {reply}; else compopt -o default; fi"
    return reply


def _bash_reply(words: Iterable[str]) -> str:
    return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$current"))'


def _names(options: Iterable[Parameter]) -> list[str]:
    return [name for option in options for name in option.names]


# ------------------------------------------------------------------- zsh


def zsh() -> str:
    """Functions for a file in a folder of `fpath`."""
    lines = [
        f"#compdef {PROGRAM}",
        f"# Completion of {PROGRAM} for zsh. Made by tools/make_man.py.",
    ]
    for command in commands():
        specs = [_zsh_option(option) for option in command.all_options]
        specs += [f"'{_zsh_place(argument)}:file:_files'" for argument in command.arguments]
        lines += ["", f"{_zsh_name(command.name)}() {{", *_zsh_arguments(specs), "}"]
    for group in groups():
        lines += ["", f"{_zsh_name(group.name)}() {{", *_zsh_group(group), "}"]
    return "\n".join([*lines, "", f'{FUNCTION} "$@"']) + "\n"


def _zsh_group(group: Group) -> Iterator[str]:
    """A command that comes first, and then what belongs to it."""
    options = () if group.name else global_options()
    yield "    local curcontext=$curcontext state line"
    yield "    local -a names=("
    for name, summary in group.choices:
        yield f"        {_quoted(f'{name}:{_plain(summary)}')}"
    yield "    )"
    yield from _zsh_arguments([*map(_zsh_option, options), "'1: :->name'", "'*:: :->rest'"])
    yield "    case $state in"
    yield "        name) _describe -t commands command names ;;"
    yield "        rest)"
    yield "            case $line[1] in"
    for name, _ in group.choices:
        yield f"                {name}) {_zsh_name(f'{group.name} {name}'.strip())} ;;"
    yield "            esac ;;"
    yield "    esac"


def _zsh_arguments(specs: Iterable[str]) -> list[str]:
    return [
        "    _arguments -s -S -C \\",
        *(f"        {spec} \\" for spec in specs),
        "        && return",
    ]


def _zsh_option(option: Parameter) -> str:
    """An option of `_arguments`; each of two names excludes the other."""
    text = _plain(option.text).replace("[", r"\[").replace("]", r"\]")
    value = f":{'value' if option.words else option.value.lower()}:{_zsh_value(option)}"
    described = _quoted(f"[{text}]{value if option.value else ''}")
    names = [name + _zsh_sign(name) if option.value else name for name in option.names]
    if len(names) == 1:
        return names[0] + described
    return f"'({' '.join(option.names)})'{{{','.join(names)}}}{described}"


def _zsh_sign(name: str) -> str:
    """What says that the value may be in the same word: --output=FILE, -oFILE."""
    return "=" if name.startswith("--") else "+"


def _zsh_value(option: Parameter) -> str:
    if option.words:
        return f"({' '.join(option.words)})"
    if option.is_path:
        return "_files -/" if option.value == "DIR" else "_files"
    return " "


def _zsh_place(argument: Parameter) -> str:
    return "*" if "..." in argument.value else ""


def _zsh_name(command: str) -> str:
    return f"{FUNCTION} {command}".strip().replace(" ", "_")


# ------------------------------------------------------------------- fish


def fish() -> str:
    """Calls of `complete`."""
    lines = [f"# Completion of {PROGRAM} for fish. Made by tools/make_man.py."]
    lines.append(f"complete -c {PROGRAM} -f")
    for group in groups():
        lines += [
            f"{_fish(group.name)} -a {name} -d {_fish_quoted(summary)}"
            for name, summary in group.choices
        ]
    lines += [_fish_option("", option) for option in global_options()]
    for command in commands():
        lines += [_fish_option(command.name, option) for option in command.all_options]
        lines += [f"{_fish(command.name)} -F" for _ in command.arguments]
    return "\n".join(lines) + "\n"


def _fish(command: str) -> str:
    """A call for what follows a command; `config show` is meant by its last word."""
    if not command:
        condition = "__fish_use_subcommand"
    else:
        condition = f"__fish_seen_subcommand_from {command.rsplit(maxsplit=1)[-1]}"
        inner = [name for group in groups() if group.name == command for name, _ in group.choices]
        if inner:
            condition += f"; and not __fish_seen_subcommand_from {' '.join(inner)}"
    return f"complete -c {PROGRAM} -n '{condition}'"


def _fish_option(command: str, option: Parameter) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    )
    return f"{_fish(command)} {names}{_fish_value(option)} -d {_fish_quoted(option.text)}"


def _fish_value(option: Parameter) -> str:
    if option.words:
        return f" -x -a '{' '.join(option.words)}'"
    if option.value == "DIR":
        return " -x -a '(__fish_complete_directories)'"
    if option.value:
        return " -r -F" if option.is_path else " -x"
    return ""


def _fish_quoted(text: str) -> str:
    escaped = _plain(text).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _quoted(text: str) -> str:
    """A word of bash and zsh that stands for itself."""
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"


def _plain(text: str) -> str:
    return text.replace("`", "").removesuffix(".")
