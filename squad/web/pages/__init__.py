"""One module for each page: what it reads, for the template of its name."""

from squad.web.pages.agent import AgentPage
from squad.web.pages.alerts import AlertsPage
from squad.web.pages.configuration import ConfigurationPage
from squad.web.pages.dead import DeadPage
from squad.web.pages.events import EventsPage
from squad.web.pages.latency import LatencyPage
from squad.web.pages.message import MessagePage
from squad.web.pages.messages import MessagesPage
from squad.web.pages.overview import OverviewPage
from squad.web.pages.queues import QueuesPage
from squad.web.pages.resources import ResourcesPage
from squad.web.pages.schedules import SchedulesPage

PAGES = (
    OverviewPage(),
    AgentPage(),
    QueuesPage(),
    LatencyPage(),
    ResourcesPage(),
    MessagesPage(),
    MessagePage(),
    DeadPage(),
    AlertsPage(),
    SchedulesPage(),
    EventsPage(),
    ConfigurationPage(),
)
