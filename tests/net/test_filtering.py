"""Which layers remain: what real Caffe keeps (fixture `phases_stages`), and the rules one by one."""

from __future__ import annotations

import pytest

from caffeconv.errors import MismatchError
from caffeconv.net import State, keep_layers
from caffeconv.net.filtering import list_left_out, list_without_effect
from tests.support.net_builder import layer_text, message_of, net_of, one_line

DEPLOY = frozenset({"deploy"})


def kept(rules: str, state: State, net_state: str = "") -> bool:
    net = message_of(net_state + layer_text("x", "Input", more=rules))
    return bool(list(keep_layers(net, state)))


@pytest.mark.parametrize(
    ("rules", "state", "expected"),
    [
        pytest.param("", State(), True, id="no-rule"),
        pytest.param("include { phase: TEST }", State(), True, id="phase"),
        pytest.param("include { phase: TRAIN }", State(), False, id="other-phase"),
        pytest.param("include { phase: TRAIN }", State("TRAIN"), True, id="train"),
        pytest.param("exclude { phase: TEST }", State(), False, id="excluded"),
        pytest.param("exclude { phase: TRAIN }", State(), True, id="not-excluded"),
        pytest.param("include {}", State(), True, id="empty-include"),
        pytest.param("exclude {}", State(), False, id="empty-exclude"),
        pytest.param("include { min_level: 1 }", State(), False, id="below"),
        pytest.param("include { min_level: 1 }", State(level=1), True, id="at-min"),
        pytest.param("include { max_level: 1 }", State(level=1), True, id="at-max"),
        pytest.param("include { max_level: 1 }", State(level=2), False, id="above"),
        pytest.param("include { min_level: -1 max_level: -1 }", State(level=-1), True, id="negative-level"),
        pytest.param("include { max_level: 0 }", State(level=1), False, id="level-0-is-a-limit"),
        pytest.param('include { stage: "deploy" }', State(), False, id="stage-off"),
        pytest.param('include { stage: "deploy" }', State(stages=DEPLOY), True, id="stage-on"),
        pytest.param('include { stage: "deploy" stage: "b" }', State(stages=DEPLOY), False, id="one-of-two-stages"),
        pytest.param('include { stage: "a" stage: "b" }', State(stages=frozenset("abc")), True, id="all-stages"),
        pytest.param('include { not_stage: "deploy" }', State(), True, id="not-stage-off"),
        pytest.param('include { not_stage: "deploy" }', State(stages=DEPLOY), False, id="not-stage-on"),
        pytest.param('include { not_stage: "a" not_stage: "b" }', State(stages=frozenset("b")), False, id="either-not"),
        pytest.param('include { phase: TEST stage: "deploy" }', State(), False, id="all-of-a-rule-must-hold"),
        pytest.param("include { phase: TRAIN } include { min_level: 2 }", State(level=2), True, id="any-include-keeps"),
        pytest.param(
            "exclude { phase: TRAIN } exclude { min_level: 2 }", State(level=2), False, id="any-exclude-drops"
        ),
        pytest.param('exclude { phase: TEST stage: "deploy" }', State(), True, id="half-an-exclude"),
    ],
)
def test_rules(rules: str, state: State, expected: bool) -> None:
    assert kept(rules, state) is expected


@pytest.mark.parametrize(
    ("net_state", "state", "expected"),
    [
        pytest.param('state { stage: "deploy" }', State(), True, id="stage-of-the-file"),
        pytest.param('state { stage: "other" }', State(stages=DEPLOY), True, id="both-count"),
        pytest.param("state { phase: TRAIN }", State(), False, id="phase-is-replaced"),
    ],
)
def test_the_state_in_the_file(net_state: str, state: State, expected: bool) -> None:
    assert kept('include { stage: "deploy" }', state, net_state) is expected


@pytest.mark.parametrize(
    ("net_state", "expected"),
    [pytest.param("state { phase: TRAIN }", True, id="phase"), pytest.param("state { level: 5 }", True, id="level")],
)
def test_phase_and_level_in_the_file_are_replaced(net_state: str, expected: bool) -> None:
    assert kept("include { phase: TEST max_level: 0 }", State(), net_state) is expected


def test_both_kinds_of_rules_are_refused() -> None:
    with pytest.raises(MismatchError) as refused:
        net_of(layer_text("both", "Input", more="include { phase: TEST } exclude { phase: TRAIN }"))
    assert one_line(refused.value) == 'layer "both" has both include and exclude rules; Caffe allows one kind'


def test_namesakes_of_two_phases_keep_the_file_order() -> None:
    text = (
        layer_text("data", "Input", tops="a", more="include { phase: TRAIN }")
        + layer_text("relu", "ReLU", "a", "b", more="include { phase: TRAIN }")
        + layer_text("data", "Input", tops="c", more="include { phase: TEST }")
        + layer_text("relu", "ReLU", "c", "d")
    )
    assert [layer.tops for layer in net_of(text).layers] == [("c",), ("d",)]
    assert [layer.tops for layer in net_of(text, state=State("TRAIN")).layers][:2] == [("a",), ("b",)]


def all_in_one(more: str = "") -> str:
    """A net as DIGITS has it: every input belongs to a stage, and so does the output."""
    rules = {"learn": "stage: 'fit'", "look": "stage: 'check'", "use": "stage: 'serve'"}
    inputs = "".join(
        layer_text(name, "Input", tops="image", more=f"include {{ {rule} }}") for name, rule in rules.items()
    )
    return inputs + layer_text("soft", "Softmax", "image") + more


def told(text: str, state: State | None = None, unmade: str = "") -> list[str]:
    net = message_of(text)
    state = state or State()
    notes = [*list_left_out(net, state, frozenset(unmade.split())), *list_without_effect(net, state)]
    return [f"{note.level} {note}" for note in notes]


class TestWhatIsTold:
    def test_inputs_of_stages_none_of_which_is_on(self) -> None:
        (line,) = told(all_in_one(), unmade="image")
        assert line == (
            'warning give --stage fit or --stage check or --stage serve: without it nothing makes "image", and these '
            "layers are left out: learn, look, use"
        )

    def test_no_layer_is_left(self) -> None:
        (line,) = told(layer_text("a", "Input", more="include { min_level: 2 }"), State(level=1))
        assert line.startswith("warning give --level 2: without it nothing is left of the net")

    def test_a_stage_that_is_on_is_all_that_is_needed(self) -> None:
        (line,) = told(all_in_one(), State(stages=frozenset(["serve"])))
        assert line == "info left out for their stage or level: learn, look; --stage fit or --stage check brings them"

    @pytest.mark.parametrize(
        ("rules", "state", "option"),
        [
            ("include { min_level: 3 }", State(), "--level 3"),
            ("include { max_level: -2 }", State(), "--level -2"),
            ('include { stage: "a" stage: "b" }', State(stages=frozenset("a")), "--stage b"),
            ('include { not_stage: "a" }', State(stages=frozenset("a")), "no --stage a"),
            ('exclude { stage: "a" }', State(stages=frozenset("a")), "no --stage a"),
            ("exclude { max_level: 4 }", State(), "--level 5"),
            ('include { phase: TRAIN stage: "a" }', State(), "--phase train --stage a"),
        ],
    )
    def test_the_option_that_brings_a_layer(self, rules: str, state: State, option: str) -> None:
        other = layer_text("other", "Input", more='include { stage: "a" } include { not_stage: "a" }')
        lines = told(layer_text("x", "Input", more=rules) + other, state)
        assert lines == [f"info left out for their stage or level: x; {option} brings them"]

    def test_another_phase_is_nothing_to_tell_of(self) -> None:
        text = layer_text("x", "Input", more="include { phase: TRAIN }") + layer_text("y", "Input")
        assert told(text) == []

    def test_a_phase_that_makes_a_bottom(self) -> None:
        text = layer_text("x", "Input", more="include { phase: TRAIN }") + layer_text("y", "ReLU", "x")
        (line,) = told(text, unmade="x")
        assert line.startswith('warning give --phase train: without it nothing makes "x"')

    def test_stages_that_nobody_speaks_of(self) -> None:
        state = State(stages=frozenset(["serve", "server"]))
        assert 'warning no layer of the prototxt speaks of stage "server"; the stages there are: fit, check, serve' in (
            told(all_in_one(), state)
        )

    def test_what_changes_nothing(self) -> None:
        assert told(layer_text("x", "Input"), State("TRAIN", 2, DEPLOY)) == [
            'warning no layer of the prototxt speaks of stage "deploy"; it has no stages at all',
            "info --level 2 changes nothing: no layer of the prototxt has a level",
            "info --phase train changes nothing: no layer of the prototxt is of one phase only",
        ]

    def test_the_net_inside_a_caffemodel(self) -> None:
        assert list_without_effect(None, State()) == []
        for state in (State("TRAIN"), State(level=1), State(stages=DEPLOY)):
            (note,) = list_without_effect(None, state)
            assert (note.level, "--phase, --level and --stage" in note.text) == ("warning", True)
