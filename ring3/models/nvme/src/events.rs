//! Asynchronous events (Base 2.0 §5.2).

use std::collections::VecDeque;

use crate::controller::Controller;
use crate::memory::Memory;
use crate::status::Status;
use crate::work::Outcome;

/// An event that the controller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsyncEvent {
    /// Error status 00h: a doorbell of a queue that is not there.
    InvalidDoorbellRegister,
    /// Error status 01h: a value that the queue cannot have.
    InvalidDoorbellValue,
    /// SMART / health status 01h.
    TemperatureThreshold,
    /// Notice 00h: namespace attribute changed.
    NamespaceChanged,
}

/// Event types, bits 2:0 of the completion's doubleword 0. An event masks its
/// type until the host reads the log page that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventType {
    Error = 0,
    Health = 1,
    Notice = 2,
}

impl AsyncEvent {
    fn event_type(self) -> EventType {
        match self {
            Self::InvalidDoorbellRegister | Self::InvalidDoorbellValue => EventType::Error,
            Self::TemperatureThreshold => EventType::Health,
            Self::NamespaceChanged => EventType::Notice,
        }
    }

    /// Doubleword 0: type (2:0), information (15:8), log page (23:16).
    fn result(self) -> u32 {
        let (information, log_page) = match self {
            Self::InvalidDoorbellRegister => (0, 0x01),
            Self::InvalidDoorbellValue => (1, 0x01),
            Self::TemperatureThreshold => (1, 0x02),
            Self::NamespaceChanged => (0, 0x04),
        };
        self.event_type() as u32 | information << 8 | log_page << 16
    }
}

/// Requests of the host, and events that wait for one.
#[derive(Default)]
pub(crate) struct Events {
    /// Command identifiers of outstanding requests.
    requests: VecDeque<u16>,
    /// Each at most once.
    waiting: VecDeque<AsyncEvent>,
    masked: [bool; 3],
}

impl Events {
    /// An event happens. One that waits already is not noted again.
    pub fn happen(&mut self, event: AsyncEvent) {
        if !self.waiting.contains(&event) {
            self.waiting.push_back(event);
        }
    }

    /// The host has read the log page of that type without Retain Asynchronous
    /// Event.
    pub fn unmask(&mut self, event_type: EventType) {
        self.masked[event_type as usize] = false;
    }

    pub fn is_requested_by(&self, id: u16) -> bool {
        self.requests.contains(&id)
    }

    /// Takes back a request, to abort it; whether it was outstanding.
    pub fn withdraw(&mut self, id: u16) -> bool {
        let found = self.requests.iter().position(|request| *request == id);
        found.is_some_and(|found| self.requests.remove(found).is_some())
    }
}

impl<M: Memory> Controller<M> {
    /// Asynchronous Event Request: ends when there is an event.
    pub(crate) fn async_event_request(&mut self, id: u16) -> Outcome {
        if self.events.requests.len() >= usize::from(self.config.async_event_requests) {
            return Outcome::Done(0, Status::ASYNC_EVENT_LIMIT_EXCEEDED);
        }
        self.events.requests.push_back(id);
        Outcome::Held
    }

    /// Ends requests by events that wait; whether there was one.
    pub(crate) fn report_events(&mut self) -> bool {
        let mut worked = false;
        while self.is_working() {
            let events = &mut self.events;
            let masked = events.masked;
            let ready = |event: &AsyncEvent| !masked[event.event_type() as usize];
            let found = events.waiting.iter().position(ready);
            let (Some(found), false) = (found, events.requests.is_empty()) else {
                break;
            };
            let (Some(event), Some(id)) =
                (events.waiting.remove(found), events.requests.pop_front())
            else {
                break;
            };
            events.masked[event.event_type() as usize] = true;
            self.complete(0, id, event.result(), Status::SUCCESS);
            worked = true;
        }
        worked
    }

    /// A namespace came, went or changed its size.
    pub(crate) fn namespace_changed(&mut self, id: u32) {
        self.logs.changed_namespaces.insert(id);
        if self.features.reports_namespaces() {
            self.events.happen(AsyncEvent::NamespaceChanged);
        }
    }

    /// Sets the composite temperature, in kelvin. Beyond the thresholds that
    /// the host set, this is a critical warning and, if the host asked for it,
    /// an event.
    pub fn set_temperature(&mut self, kelvin: u16) {
        self.logs.temperature = kelvin;
        self.check_temperature();
    }

    pub(crate) fn check_temperature(&mut self) {
        if self.features.is_too_hot_or_cold(self.logs.temperature)
            && self.features.reports_temperature()
        {
            self.events.happen(AsyncEvent::TemperatureThreshold);
        }
    }
}
