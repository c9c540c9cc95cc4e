"""The triggers: each a few lines that hand over to the kernel or to a service.

The Python worker reads the annotations at start-up and drops every function over one it cannot resolve, hence
`typing.List`, names without underscores for bound arguments, and no annotation that exists only for type checkers.
"""

import typing

import azure.functions as func

from aos.functions import work
from aos.functions.invocation import invocation_scope
from aos.functions.pause import pausing
from aos.functions.process import config

CONNECTION = "ServiceBus"
MAINTENANCE_SCHEDULE = "0 */30 * * * *"
HEARTBEAT_SCHEDULE = "0 * * * * *"

Messages = typing.List[func.ServiceBusMessage]  # noqa: UP006  # the worker refuses `list[...]`

_names = config().messaging
triggers = func.Blueprint()


def _most_delivered(messages: Messages) -> int:
    return max((message.delivery_count or 1 for message in messages), default=1)


@triggers.function_name("mailbox")
@triggers.service_bus_queue_trigger(
    arg_name="messages",
    queue_name=_names.inbox,
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
    cardinality=func.Cardinality.MANY,
    is_sessions_enabled=True,
)
async def mailbox(messages: Messages, context: func.Context) -> None:
    """Wake an agent for the messages in its mailbox."""
    async with invocation_scope(context), pausing(_most_delivered(messages)):
        await work.deliver(messages)


@triggers.function_name("events")
@triggers.service_bus_topic_trigger(
    arg_name="messages",
    topic_name=_names.events,
    subscription_name="router",
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
    cardinality=func.Cardinality.MANY,
)
async def events(messages: Messages, context: func.Context) -> None:
    """Give topic events to the mailboxes of the agents that subscribed."""
    async with invocation_scope(context), pausing(_most_delivered(messages)):
        await work.route(messages)


@triggers.function_name("deadletters")
@triggers.service_bus_queue_trigger(
    arg_name="message",
    queue_name=f"{_names.inbox}/$DeadLetterQueue",
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
)
async def deadletters(message: func.ServiceBusMessage, context: func.Context) -> None:
    """Take what the bus gave up delivering into the dead-letter store."""
    async with invocation_scope(context), pausing(message.delivery_count):
        await work.give_up(message)


@triggers.function_name("eventdeadletters")
@triggers.service_bus_topic_trigger(
    arg_name="messages",
    topic_name=_names.events,
    subscription_name="router/$DeadLetterQueue",
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
    cardinality=func.Cardinality.MANY,
)
async def eventdeadletters(messages: Messages, context: func.Context) -> None:
    """Route the events that could not be routed in time: they wait here until they can."""
    async with invocation_scope(context), pausing(_most_delivered(messages)):
        await work.route(messages)


@triggers.function_name("requestdeadletters")
@triggers.service_bus_queue_trigger(
    arg_name="message",
    queue_name=f"{_names.requests}/$DeadLetterQueue",
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
)
async def requestdeadletters(message: func.ServiceBusMessage, context: func.Context) -> None:
    """Take requests of business apps that could not be answered into the dead-letter store."""
    async with invocation_scope(context), pausing(message.delivery_count):
        await work.give_up_request(message)


@triggers.function_name("requests")
@triggers.service_bus_queue_trigger(
    arg_name="message",
    queue_name=_names.requests,
    connection=CONNECTION,
    data_type=func.DataType.BINARY,
)
async def requests(message: func.ServiceBusMessage, context: func.Context) -> None:
    """Answer a business app that speaks Service Bus."""
    async with invocation_scope(context) as traceparent, pausing(message.delivery_count):
        await work.answer(message, traceparent)


@triggers.function_name("maintenance")
@triggers.timer_trigger(arg_name="timer", schedule=MAINTENANCE_SCHEDULE, run_on_startup=False)
async def maintenance(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001
    """Sweep out what has expired."""
    async with invocation_scope(context):
        await work.maintain()


@triggers.function_name("heartbeat")
@triggers.timer_trigger(arg_name="timer", schedule=HEARTBEAT_SCHEDULE, run_on_startup=True)
async def heartbeat(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001
    """Tell that the host is alive, and build the system at start-up."""
    async with invocation_scope(context):
        await work.beat()
