"""The composition root: from settings to one platform's ASGI application.

Loads the schema object the settings name; builds every room once; starts and stops what lives as
long as the process.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from graphql import GraphQLSchema
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from strawberry import Schema

from bff.access.authenticate import Authenticator
from bff.access.keys import KeySet
from bff.access.limits import limits_of
from bff.access.load import Load
from bff.access.revocations import Revocations
from bff.client.gate import Gate
from bff.config import PlatformConfig, Settings
from bff.documents.documents import Documents
from bff.documents.releases import releases_of
from bff.documents.snapshot import Snapshot
from bff.documents.source import RegistrySource, open_source
from bff.edge.admission import Entrance
from bff.edge.application import Application
from bff.edge.cross_origin import cross_origin
from bff.edge.interfaces import Scrape
from bff.edge.observe import Observer
from bff.edge.routes import operator_routes, routes
from bff.errors import ConfigError
from bff.pipeline import Pipeline
from bff.plans.counters import Counters
from bff.plans.execute import Executor, graphql_schema
from bff.plans.redact import PairFiles
from bff.plans.shadow import Shadow
from bff.request import Arrival, ClientIdentity, Deadline
from bff.store.memory import MemoryTier
from bff.store.opened import open_cache
from bff.store.records import RecordCache
from bff.store.redis_tier import RedisTier
from bff.store.tier import KeyValueTier
from bff.store.two_tier import TwoTier
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Tracing
from bff.upstreams.calls import Caller, CallLog, Services
from bff.upstreams.coalesce import Coalescer
from bff.upstreams.credentials import Signer, read_signer
from bff.upstreams.transport import Transport, make_transport
from bff.usage.recorder import Recorder, recorder_of

FIRST_POLL_PAUSE_S = 0.2
STOP_PAUSE_S = 0.1
# Of calls no request waits for; a service's own time limit is shorter.
BACKGROUND_DEADLINE_MS = 60_000


@dataclass
class Gateway:
    """One platform's process: the pipeline and what must be started and stopped around it.
    `source` is followed for new releases; `settled` is called whenever all registered documents are
    prepared."""

    platform: str
    settings: Settings
    pipeline: Pipeline
    keys: KeySet
    apq_tier: KeyValueTier
    settled: Callable[[], object]
    usage: Recorder
    source: RegistrySource | None = None

    async def ready(self) -> dict[str, str]:
        """Readiness checks. Only the first load counts: a service that goes away later costs its
        fields, and must not take the whole gateway out of rotation."""
        known = self.keys.known and self.pipeline.revocations.ever_read
        checks = {"identity": "ok" if known else "keys or revocations were never read"}
        if self.source is not None:
            checks["registry"] = "ok" if self.source.was_read else "the registry was never read"
        return checks

    def caller(self) -> Caller:
        """A caller of the process itself, for what no request pays for."""
        arrival = Arrival("background", ClientIdentity(), Deadline.after_ms(BACKGROUND_DEADLINE_MS))
        return Caller(self.pipeline.services, arrival, CallLog())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keys and revocations are kept fresh while this is open; documents are prepared."""
        tasks = [
            asyncio.create_task(self.pipeline.revocations.watch(self.caller)),
            asyncio.create_task(self._fresh_keys()),
            asyncio.create_task(self.pipeline.documents.keep_prepared(self.settled)),
            asyncio.create_task(self.pipeline.executor.compile_in_background()),
        ]
        if self.pipeline.executor.shadow is not None:
            tasks.append(asyncio.create_task(self.pipeline.executor.shadow.replay_in_background()))
        await self.usage.open()
        tasks.append(asyncio.create_task(self.usage.run()))
        access = self.pipeline.authenticator
        if access.limits is not None and access.limits.ledger is not None:
            tasks.append(asyncio.create_task(access.limits.ledger.run()))
        cache = self.pipeline.services.cache
        if cache is not None and cache.second is not None:
            tasks.append(asyncio.create_task(cache.second.run()))
        stop_watching = self._watch_registry()
        access.begin()
        try:
            yield
        finally:
            stop_watching()
            await stopped(tasks)
            await access.end()
            await self.usage.close()
            await self.apq_tier.close()
            # Nobody waits for these any more, but they must not be torn in two.
            await self.pipeline.services.effects.settle(self.settings.edge.shutdown_grace_s)
            if cache is not None:
                await cache.close()
            await self.pipeline.services.transport.close()
            self.pipeline.services.tracing.close()

    def _watch_registry(self) -> Callable[[], object]:
        """Take new releases as they come; returns what stops it."""
        if self.source is None:
            return _not_told
        loop = asyncio.get_running_loop()

        def take(snapshot: Snapshot) -> None:
            with suppress(RuntimeError):  # the loop may have been closed meanwhile
                loop.call_soon_threadsafe(self.pipeline.documents.take, snapshot)

        return self.source.watch(take)

    async def _fresh_keys(self) -> None:
        """Before they are too old, so that no request pays for it."""
        every = self.settings.access.keys_max_age_s / 2
        while True:
            await self.keys.refresh(self.caller())
            await asyncio.sleep(every if self.keys.known else FIRST_POLL_PAUSE_S)


async def stopped(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end, however they end: what they used is closed next.

    An answer that comes in the moment of a cancel is given in its place (pyreqwest): such a task
    would go on for ever, so it is told again.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=STOP_PAUSE_S)
    await asyncio.gather(*tasks, return_exceptions=True)


def _not_told() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class Assembled:
    """One platform's applications: the public one, which starts and stops the gateway, and the
    operators' own."""

    app: Starlette
    operator: Starlette
    gateway: Gateway


def build(
    settings: Settings,
    platform: str,
    *,
    transport: Transport | None = None,
    settled: Callable[[], object] = _not_told,
) -> Starlette:
    """One platform's application, operators' routes included. `transport` replaces the one the
    settings name (tests); `settled` is called once what a process keeps for good has been made.

    Raises ConfigError naming the setting at fault.
    """
    return assemble(settings, platform, transport=transport, settled=settled).app


def assemble(
    settings: Settings,
    platform: str,
    *,
    transport: Transport | None = None,
    settled: Callable[[], object] = _not_told,
    operations: bool = True,
    draining: Callable[[], bool] = lambda: False,
    scrape: Scrape | None = None,
) -> Assembled:
    """The same, and what is around it: `operations` says whether the public application tells what
    only operators should know; `draining`, whether the gateway is about to end; `scrape` replaces
    this process's metrics with those of its group. Raises ConfigError."""
    gateway = build_gateway(settings, platform, transport=transport, settled=settled)
    services = gateway.pipeline.services

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with gateway.running():
            yield

    async def own() -> CollectorRegistry:
        return services.metrics.registry

    app = Application(
        routes=routes(
            gateway.pipeline,
            settings,
            gateway.ready,
            scrape=scrape or own,
            telemetry=Observer(services.tracing, services.metrics, platform, gateway.usage.count),
            draining=draining,
            operations=operations,
            entrance=Entrance.of(gateway.pipeline.authenticator, settings.edge),
        ),
        middleware=cross_origin(settings.edge),
        lifespan=lifespan,
    )
    operator = Application(routes=operator_routes(gateway.ready, scrape or own, draining))
    return Assembled(app, operator, gateway)


def build_gateway(
    settings: Settings,
    platform: str,
    *,
    transport: Transport | None = None,
    settled: Callable[[], object] = _not_told,
) -> Gateway:
    """Every room of one platform, wired."""
    config = settings.platforms.get(platform)
    if config is None:
        known = ", ".join(settings.platforms)
        raise ConfigError(f"platforms.{platform} is not set; known platforms: {known}")
    metrics = Metrics(platform, settings.telemetry.max_live_releases)
    services = _services(settings, platform, metrics, transport)
    keys = KeySet(settings.access, metrics)
    revocations = Revocations(settings.access, metrics)
    if services.cache is not None:
        revocations.told = services.cache.viewer_left
    schema = graphql_schema(load_schema(config))
    source = open_source(settings, platform, schema, metrics.event)
    apq_tier = _apq_tier(settings, platform, metrics)
    executor = _executor(schema, settings, metrics)
    documents = Documents(
        schema,
        settings.documents,
        settings.policy,
        settings.development,
        releases_of(platform, config) if source is None else [],
        apq_tier,
        count=metrics.event,
        on_prepared=executor.foresee,
    )
    if source is None:
        documents.load()
    else:
        documents.take(source.snapshot())
    usage = recorder_of(settings, platform, metrics.event)
    documents.listen(lambda state: metrics.live(state.unretired))
    documents.listen(lambda state: usage.publish(state.releases))
    metrics.documents.set_function(lambda: len(documents))
    load = _load(settings, metrics)
    services.guards.lag = lambda: load.lag_s
    pipeline = Pipeline(
        documents=documents,
        gate=Gate(settings.client, documents.lifecycle.capabilities),
        authenticator=_authenticator(settings, platform, keys, revocations, metrics, load),
        revocations=revocations,
        executor=executor,
        services=services,
        development=settings.development,
    )
    return Gateway(platform, settings, pipeline, keys, apq_tier, settled, usage, source)


def _services(
    settings: Settings, platform: str, metrics: Metrics, transport: Transport | None
) -> Services:
    signer = read_signer(settings.upstreams.key_file)
    return Services(
        configs=settings.upstreams.services,
        transport=transport or make_transport(settings.upstreams),
        signer=signer,
        metrics=metrics,
        tracing=Tracing(
            settings.telemetry,
            f"bff-{platform}",
            trust_callers=settings.trust_traceparent,
        ),
        max_calls=settings.upstreams.max_calls,
        coalescer=Coalescer(metrics.joined) if settings.upstreams.coalesce else None,
        cache=_cache(settings, platform, signer, metrics),
    )


def _executor(schema: GraphQLSchema, settings: Settings, metrics: Metrics) -> Executor:
    executor = Executor(
        schema,
        hide_suggestions=not settings.development,
        mode=settings.plans.mode,
        max_memory=settings.plans.max_memory,
        counters=Counters(metrics.fell_back),
        require=settings.plans.require_compiled,
        stretch=settings.screens.stretch,
    )
    plans = settings.plans
    if plans.shadow_one_in:
        executor.shadow = Shadow(
            executor.plans,
            one_in=plans.shadow_one_in,
            cpu_share=plans.shadow_cpu_share,
            count=metrics.shadowed,
            files=PairFiles(plans.shadow_dir) if plans.shadow_dir else None,
        )
    metrics.plans.set_function(lambda: executor.plans.compiled_operations)
    metrics.plans_bytes.set_function(lambda: executor.plans.size)
    return executor


def _cache(settings: Settings, platform: str, signer: Signer, metrics: Metrics) -> RecordCache:
    def secret() -> bytes:
        return signer.derived(b"facet-cache")

    tally = metrics.cache
    cache = open_cache(settings.cache, settings.store, platform, secret, tally, metrics.event)
    tally.size, tally.entries = lambda: cache.size, lambda: len(cache)
    return cache


def _load(settings: Settings, metrics: Metrics) -> Load:
    load = Load(settings.admission, metrics.limits.shed)
    metrics.limits.watch(load)
    return load


def _authenticator(
    settings: Settings,
    platform: str,
    keys: KeySet,
    revocations: Revocations,
    metrics: Metrics,
    load: Load,
) -> Authenticator:
    limits = limits_of(settings, platform, metrics)
    return Authenticator(settings.access, keys, revocations, metrics, limits=limits, load=load)


def load_schema(config: PlatformConfig) -> Schema:
    """The Strawberry schema a platform's settings name. Raises ConfigError."""
    module_name, _, name = config.schema_object.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"schema_object {config.schema_object}: {error}") from error
    if not isinstance(found, Schema):
        raise ConfigError(f"schema_object {config.schema_object} is no strawberry.Schema")
    return found


def _apq_tier(settings: Settings, platform: str, metrics: Metrics) -> KeyValueTier:
    documents = settings.documents
    memory = MemoryTier(documents.apq_max_entries, documents.apq_max_bytes)
    shared = RedisTier.connect(settings.store, platform) if settings.store.redis_url else None
    return TwoTier(memory, shared, count=metrics.event)
