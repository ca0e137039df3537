"""The tables as peewee models, for reading.

The migrations make the tables, and the writer fills them with statements of its own, which are several times as fast;
a test holds models and tables together. The models belong to no database: say ``query.execute(database)``.
Times are text as ``squad.store.times`` writes it, except ``not_before``, ``expires_at`` and ``reply_due``; JSON is
text.
"""

from __future__ import annotations

from peewee import AutoField, CompositeKey, FloatField, ForeignKeyField, IntegerField, Model, TextField

STATUSES = ("queued", "running", "completed", "failed", "cancelled", "expired")


class SchemaVersion(Model):
    """One row for each migration that ran; the highest version is the database's."""

    version = IntegerField(primary_key=True)
    name = TextField()
    applied_at = TextField()

    class Meta:
        table_name = "schema_version"


class Task(Model):
    """A message, from its acceptance on. ``id`` is the order of arrival."""

    id = AutoField()
    task_id = TextField(unique=True)
    parent_id = TextField(null=True)
    root_id = TextField(null=True)  # null: the same as task_id
    sender = TextField()
    recipient = TextField()
    type = TextField()
    priority = IntegerField(default=5)  # 1 (first) to 10
    status = TextField(default="queued", choices=[(status, status) for status in STATUSES])
    attempts = IntegerField(default=0)  # charged so far
    not_before = FloatField(null=True)  # seconds since the epoch; null: ready
    expires_at = FloatField(null=True)  # likewise; null: never
    lease_owner = TextField(null=True)  # the worker that has it, or had it last
    fence = IntegerField(default=0)  # how often it was claimed
    claimed_at = TextField(null=True)
    cancelling = TextField(null=True)  # it runs and was told to end: one, or tree
    reply_to = TextField(null=True)  # the agent that is told how it ends
    reply_timeout = FloatField(null=True)  # seconds
    reply_due = FloatField(null=True)  # seconds since the epoch; null again once the time-out was told
    created_at = TextField()
    started_at = TextField(null=True)
    completed_at = TextField(null=True)  # set by every end
    duration_ms = IntegerField(null=True)
    key = TextField(null=True)
    error_message = TextField(null=True)
    payload = TextField()
    result = TextField(null=True)
    traceparent = TextField(null=True)  # where its trace began outside; null: the trace is that of its root
    ready_at = FloatField(null=True)  # seconds since the epoch; null: since created_at

    class Meta:
        table_name = "tasks"


class Attempt(Model):
    """An attempt that did not complete."""

    id = AutoField()
    task = ForeignKeyField(Task, column_name="task_row", backref="failures", on_delete="CASCADE")
    number = IntegerField()  # from 1, going on after a replay
    worker = TextField()
    started_at = TextField(null=True)
    ended_at = TextField()
    outcome = TextField()  # error, timeout, refused, crash, hung, ceiling
    final = IntegerField(default=0)  # 1: it made the message a dead letter
    error = TextField()

    class Meta:
        table_name = "attempts"


class ArchivedTask(Task):
    """A message that has ended long ago, as it was."""

    id = IntegerField(primary_key=True)

    class Meta:
        table_name = "tasks_archive"


class ArchivedAttempt(Attempt):
    """An attempt at such a message."""

    id = IntegerField(primary_key=True)
    task = ForeignKeyField(ArchivedTask, column_name="task_row", backref="archived_failures", on_delete="CASCADE")

    class Meta:
        table_name = "attempts_archive"


class AgentState(Model):
    """The small durable state of an agent's own."""

    agent = TextField(primary_key=True)
    version = IntegerField()
    updated_at = TextField()
    state = TextField()

    class Meta:
        table_name = "agent_state"


class Event(Model):
    """Something that happened to the squad, for people."""

    id = AutoField()
    at = TextField()
    kind = TextField()
    subject = TextField()
    detail = TextField()

    class Meta:
        table_name = "events"


class MachineSample(Model):
    """The machine as the monitor read it, once a minute, and whenever the throttle changed."""

    id = AutoField()
    at = TextField()
    cpu_percent = FloatField()
    memory_percent = FloatField()
    available_bytes = IntegerField()
    processes = IntegerField()
    throttle_seconds = FloatField()

    class Meta:
        table_name = "machine_samples"


class ConvoyResize(Model):
    """A change of a convoy's size, and why."""

    id = AutoField()
    at = TextField()
    convoy = TextField()
    from_size = IntegerField()
    to_size = IntegerField()
    reason = TextField()
    readings = TextField()

    class Meta:
        table_name = "convoy_resizes"


class Keeper(Model):
    """What the supervisor must remember across restarts."""

    key = TextField(primary_key=True)
    value = TextField()
    updated_at = TextField()

    class Meta:
        table_name = "keeper"


class Queued(Model):
    """How many messages wait for a recipient with a priority, those that are delayed apart. Some rows say 0."""

    recipient = TextField()
    priority = IntegerField()
    delayed = IntegerField()  # 0 or 1
    messages = IntegerField()

    class Meta:
        table_name = "queued"
        primary_key = CompositeKey("recipient", "priority", "delayed")


class Total(Model):
    """How many of the messages that are kept have ended how: completed, failed, cancelled, expired."""

    status = TextField(primary_key=True)
    messages = IntegerField()

    class Meta:
        table_name = "totals"


class MetricSeries(Model):
    """A metric of an agent and a type, and all of it since it began. Empty text: of none, the squad's."""

    id = AutoField()
    name = TextField()
    agent = TextField()
    type = TextField()
    kind = TextField()  # counter, gauge, histogram
    count = IntegerField(default=0)
    sum = FloatField(default=0)
    last = FloatField(null=True)
    updated_at = FloatField(default=0)  # seconds since the epoch
    buckets = TextField(null=True)  # see squad.store.metrics.histogram

    class Meta:
        table_name = "metric_series"


class MetricPoint(Model):
    """What was recorded of a series in ``step`` seconds from ``start`` on (seconds since the epoch)."""

    step = IntegerField()
    start = IntegerField()
    series = IntegerField()
    count = IntegerField()
    sum = FloatField()
    least = FloatField(null=True)
    most = FloatField(null=True)
    last = FloatField(null=True)
    buckets = TextField(null=True)

    class Meta:
        table_name = "metric_points"
        primary_key = CompositeKey("step", "start", "series")


class AgentMetric(Model):
    """The view of the points by name, for people."""

    agent = TextField(null=True)
    metric_name = TextField()
    metric_value = FloatField()  # of a counter how much it grew, else the mean
    timestamp = TextField()  # where ``seconds`` begin
    type = TextField(null=True)
    kind = TextField()
    seconds = IntegerField()
    count = IntegerField()
    least = FloatField(null=True)
    most = FloatField(null=True)

    class Meta:
        table_name = "agent_metrics"
        primary_key = False


class Alert(Model):
    """An incident: a rule's condition came true, for as long as the rule says. ``cleared_at`` null: it is."""

    id = AutoField()
    alert_id = TextField(unique=True)
    rule = TextField()
    agent = TextField()  # or convoy; empty: it is about the squad or the machine
    severity = TextField()  # info, warning, critical
    summary = TextField()
    value = FloatField(null=True)
    threshold = FloatField(null=True)
    unit = TextField()
    fired_at = TextField()
    told_at = TextField(null=True)  # null: it was silenced so far
    reminded_at = TextField(null=True)
    reminders = IntegerField(default=0)
    acked_at = TextField(null=True)
    acked_by = TextField(null=True)
    note = TextField(null=True)
    cleared_at = TextField(null=True)

    class Meta:
        table_name = "alerts"


class AlertSilence(Model):
    """For a time the sinks are told nothing about a rule, an agent, or a rule of an agent; null: any."""

    id = AutoField()
    silence_id = TextField(unique=True)
    rule = TextField(null=True)
    agent = TextField(null=True)
    since = TextField()
    until = TextField()
    by = TextField(null=True)
    reason = TextField(null=True)
    ended_at = TextField(null=True)

    class Meta:
        table_name = "alert_silences"


class QueueDepth(Model):
    """The view of waiting messages by recipient; recipients without any are absent."""

    agent = TextField()
    queued_tasks = IntegerField()
    high_priority = IntegerField()  # 1 and 2
    normal_priority = IntegerField()  # 3 to 7
    low_priority = IntegerField()  # 8 to 10

    class Meta:
        table_name = "queue_depth"
        primary_key = False


TABLES = (
    SchemaVersion,
    Task,
    Attempt,
    ArchivedTask,
    ArchivedAttempt,
    AgentState,
    Event,
    ConvoyResize,
    MachineSample,
    Keeper,
    Queued,
    Total,
    MetricSeries,
    MetricPoint,
    Alert,
    AlertSilence,
)
