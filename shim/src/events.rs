//! What containerd is told without having asked.

use crate::process::{Exit, told};
use containerd_shim::event::Event;
use containerd_shim::protos::events::task as events;
use containerd_shim::protos::protobuf::MessageDyn;
use containerd_shim::publisher::RemotePublisher;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Sends events in the order in which they are given to it, and does not keep anybody waiting.
#[derive(Clone)]
pub(crate) struct Events(UnboundedSender<(String, Box<dyn MessageDyn>)>);

impl Events {
    /// Everything that is given to it goes to this namespace's subscribers.
    pub(crate) fn new(publisher: RemotePublisher, namespace: String) -> Self {
        let (sender, receiver) = unbounded_channel();
        tokio::spawn(forward(publisher, namespace, receiver));
        Self(sender)
    }

    pub(crate) fn publish<E: Event>(&self, event: E) {
        // Nobody hears the last words of a shim that ends.
        let _ = self.0.send((event.topic(), Box::new(event)));
    }
}

async fn forward(
    publisher: RemotePublisher,
    namespace: String,
    mut events: UnboundedReceiver<(String, Box<dyn MessageDyn>)>,
) {
    while let Some((topic, event)) = events.recv().await {
        let context = containerd_shim::Context::default();
        if let Err(error) = publisher.publish(context, &topic, &namespace, event).await {
            log::warn!("the event {topic} was lost: {error}");
        }
    }
}

/// The kernel has ended processes of a container for want of memory.
pub(crate) fn out_of_memory(id: &str) -> events::TaskOOM {
    events::TaskOOM { container_id: id.to_owned(), ..events::TaskOOM::default() }
}

/// A process of a container has ended.
pub(crate) fn ended_event(id: &str, exec: &str, pid: i32, exit: Exit) -> events::TaskExit {
    let (exit_status, exited_at) = told(Some(exit));
    events::TaskExit {
        container_id: id.to_owned(),
        id: if exec.is_empty() { id.to_owned() } else { exec.to_owned() },
        pid: pid.unsigned_abs(),
        exit_status,
        exited_at,
        ..events::TaskExit::default()
    }
}
