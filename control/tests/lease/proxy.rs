//! A TCP proxy between node and etcd that can be cut (connections die) and frozen (bytes stop, as behind a dead switch).

use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Open,
    Cut,
    Frozen,
}

pub struct Proxy {
    pub endpoint: String,
    state: watch::Sender<State>,
    tasks: Arc<Mutex<Vec<AbortHandle>>>,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let (state, receiver) = watch::channel(State::Open);
        let tasks = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&tasks);
        let accept = tokio::spawn(async move {
            while let Ok((inbound, _)) = listener.accept().await {
                if *receiver.borrow() != State::Cut {
                    let task = tokio::spawn(carry(inbound, port, receiver.clone()));
                    kept.lock().unwrap().push(task.abort_handle());
                }
            }
        });
        tasks.lock().unwrap().push(accept.abort_handle());
        Proxy {
            endpoint,
            state,
            tasks,
        }
    }

    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub fn freeze(&self) {
        self.state.send_replace(State::Frozen);
    }

    pub fn mend(&self) {
        self.state.send_replace(State::Open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap().drain(..) {
            task.abort();
        }
    }
}

async fn carry(mut inbound: TcpStream, port: u16, mut state: watch::Receiver<State>) {
    let Ok(mut outbound) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    loop {
        let now = *state.borrow_and_update();
        match now {
            State::Cut => return,
            State::Frozen => {}
            State::Open => {
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut inbound, &mut outbound) => return,
                    _ = state.changed() => continue,
                }
            }
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}
