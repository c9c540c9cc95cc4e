from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aos.local.servicebus.engine import (
    Bus,
    CorrelationFilter,
    InvalidArgument,
    QueueDescription,
    SqlAction,
    SqlFilter,
    format_duration,
    load_topology,
    parse_duration,
    parse_topology,
)

FULL = """
// A comment in front
{
  "UserConfig": {
    "Namespaces": [
      {
        "Name": "sbemulatorns", /* and one
                                   over two lines */
        "Queues": [
          {
            "Name": "queue.1",
            "Properties": {
              "DeadLetteringOnMessageExpiration": true,
              "DefaultMessageTimeToLive": "PT1H30M",
              "DuplicateDetectionHistoryTimeWindow": "PT20S",
              "ForwardDeadLetteredMessagesTo": "dead//letters",
              "ForwardTo": "",
              "LockDuration": "PT1M",
              "MaxDeliveryCount": 3,
              "RequiresDuplicateDetection": true,
              "RequiresSession": false
            }
          },
          { "name": "dead//letters", "properties": { "requiressession": true, } },
        ],
        "Topics": [
          {
            "Name": "topic.1",
            "Properties": { "DefaultMessageTimeToLive": "P10675199DT2H48M5.4775807S" },
            "Subscriptions": [
              {
                "Name": "subscription.1",
                "Properties": { "MaxDeliveryCount": 5, "LockDuration": "PT30S" },
                "Rules": [
                  {
                    "Name": "by-property",
                    "Properties": {
                      "FilterType": "Correlation",
                      "CorrelationFilter": {
                        "ContentType": "application/json", "Label": "a // b",
                        "Properties": { "prop1": "value1", "n": 2 }
                      }
                    }
                  },
                  {
                    "Name": "by-sql",
                    "Properties": {
                      "FilterType": "Sql",
                      "SqlFilter": { "SqlExpression": "sys.MessageId = '1' AND userProp1 = 'v'" },
                      "Action": { "SqlExpression": "SET sys.To = 'Entity'" }
                    }
                  }
                ]
              },
              { "Name": "subscription.2" }
            ]
          }
        ]
      }
    ],
    "Logging": { "Type": "File" }
  }
}
"""


def test_the_emulators_format_is_read(tmp_path: Path) -> None:
    file = tmp_path / "Config.json"
    file.write_text("\ufeff" + FULL, encoding="utf-8")
    topology = load_topology(file)
    first, second = topology.queues
    assert first == QueueDescription(
        name="queue.1",
        dead_letter_on_expiration=True,
        default_time_to_live=timedelta(minutes=90),
        duplicate_detection_window=timedelta(seconds=20),
        forward_dead_lettered_to="dead//letters",
        lock_duration=timedelta(minutes=1),
        max_delivery_count=3,
        requires_duplicate_detection=True,
    )
    assert (second.requires_session, second.default_time_to_live) == (True, timedelta(hours=1))
    assert topology.topics[0].default_time_to_live is None
    filtered, plain = topology.subscriptions
    assert (filtered.topic, filtered.name, filtered.max_delivery_count) == ("topic.1", "subscription.1", 5)
    assert plain.rules is None
    assert filtered.rules is not None
    by_property, by_sql = filtered.rules
    assert by_property.filter == CorrelationFilter(
        content_type="application/json", subject="a // b", properties={"prop1": "value1", "n": 2}
    )
    assert by_sql.filter == SqlFilter(expression="sys.MessageId = '1' AND userProp1 = 'v'")
    assert by_sql.action == SqlAction(expression="SET sys.To = 'Entity'")


def test_what_was_read_can_be_applied() -> None:
    bus = Bus()
    bus.apply(parse_topology(FULL))
    assert sorted(bus.all_statistics()) == [
        "dead//letters",
        "queue.1",
        "topic.1",
        "topic.1/Subscriptions/subscription.1",
        "topic.1/Subscriptions/subscription.2",
    ]


def wrap(queue: str = "", topic: str = "") -> str:
    queues = f'[{{"Name": "q", {queue}}}]' if queue else "[]"
    topics = f'[{{"Name": "t", "Subscriptions": [{{"Name": "s", {topic}}}]}}]' if topic else "[]"
    return f'{{"UserConfig": {{"Namespaces": [{{"Name": "n", "Queues": {queues}, "Topics": {topics}}}]}}}}'


RULE = '"Rules": [{"Name": "r", "Properties": '
NAMESPACE = "Config.json.UserConfig.Namespaces[0]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n  oops", "Config.json, line 2, column 3: not valid JSON"),
        ("[]", "Config.json: expected an object, found list"),
        ("{}", "Config.json.UserConfig: it is required"),
        ('{"UserConfig": {"Namespaces": {}}}', "Namespaces: expected a list, found dict"),
        ('{"UserConfig": {"Namespaces": [7]}}', "Namespaces[0]: expected an object, found int"),
        ('{"UserConfig": {"Namespaces": [{"Queues": [{}]}]}}', "Namespaces[0].Queues[0].Name: it is required"),
        (wrap(queue='"Propertys": {}'), f"{NAMESPACE}.Queues[0].Propertys: no such setting"),
        (wrap(queue='"Properties": {"LockDurations": "PT1M"}'), "Queues[0].Properties.LockDurations: no such"),
        (
            wrap(queue='"Properties": {"LockDuration": "1 minute"}'),
            "Queues[0].Properties.LockDuration: '1 minute' is not an ISO-8601 duration",
        ),
        (wrap(queue='"Properties": {"LockDuration": 60}'), "LockDuration: expected a text, found 60"),
        (wrap(queue='"Properties": {"LockDuration": "PT6M"}'), "Queues[0]: lock_duration must be"),
        (
            wrap(queue='"Properties": {"DuplicateDetectionHistoryTimeWindow": "P10675199DT2H48M5.4775807S"}'),
            "DuplicateDetectionHistoryTimeWindow: it cannot be for ever",
        ),
        (wrap(queue='"Properties": {"MaxDeliveryCount": "3"}'), "MaxDeliveryCount: expected a whole number"),
        (wrap(queue='"Properties": {"RequiresSession": "yes"}'), "RequiresSession: expected true or false"),
        (wrap(queue='"Properties": {"Status": "Asleep"}'), "Status: 'Asleep' is not one of Active"),
        (wrap(queue='"Properties": {"ForwardTo": "gone"}'), "'q' forwards to 'gone'"),
        (wrap(topic=RULE + '{"FilterType": "Xml"}}]'), "Rules[0].Properties.FilterType: it must be Sql or"),
        (wrap(topic=RULE + '{"FilterType": "Sql"}}]'), "Rules[0].Properties.SqlFilter: it is required"),
        (
            wrap(topic=RULE + '{"FilterType": "Sql", "SqlFilter": {"SqlExpression": "a ="}}}]'),
            "Subscriptions[0].Rules[0]: expected a value, found the end at position 4 of 'a ='",
        ),
        (
            wrap(topic=RULE + '{"FilterType": "Correlation", "CorrelationFilter": {}}}]'),
            "Rules[0]: A correlation filter needs at least one property",
        ),
        (
            wrap(topic=RULE + '{"FilterType": "Correlation", "CorrelationFilter": {"Properties": {"a": []}}}}]'),
            "CorrelationFilter.Properties.a: expected a text",
        ),
        (wrap(topic='"Rules": [{"Name": "r"}]'), "Rules[0].Properties: it is required"),
    ],
)
def test_errors_name_the_place(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_topology(text)
    assert message in caught.value.message


def test_names_must_be_unique() -> None:
    twice = '{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "A"}, {"Name": "a"}]}]}}'
    with pytest.raises(InvalidArgument, match="more than one entity 'a'"):
        parse_topology(twice)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("PT1M", timedelta(minutes=1)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("P1Y2M1W3D", timedelta(days=365 + 60 + 7 + 3)),
        ("P14D", timedelta(days=14)),
        ("P10675199DT2H48M5.4775807S", None),
    ],
)
def test_durations_are_read(text: str, value: timedelta | None) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1M", "PT1", "PT-1M", "PT1.5M", "pt1m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9_000_000)))
def test_durations_survive_the_round_trip(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


def test_durations_are_written_briefly() -> None:
    assert format_duration(timedelta(days=1, minutes=5, milliseconds=20)) == "P1DT5M0.02S"
    assert format_duration(timedelta(0)) == "PT0S"
    assert parse_duration(format_duration(None)) is None
