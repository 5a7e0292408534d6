//! Bounded workers: threads that come when there is work and go when there is none.
//!
//! Jobs have a key (a provider's host, for example), and the keys take turns. However many jobs
//! one key has, and however long they hang, it never gets the last free workers, so that another
//! key's jobs need not wait for them.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::sys;

/// More than anything here needs; only what is used of it takes up memory. Not less: glibc keeps the
/// stacks of threads that are gone, each with what it has used, until there are 40 MiB of them.
const STACK: usize = 2 * 1024 * 1024;

/// A key may take a worker as long as it has fewer than this many times the free ones. With 138
/// workers the first key gets 126, a second one still 11, and so on.
const SHARE: usize = 10;

/// After so many workers at once, the memory that they have used is given back. That goes through all
/// that is free, which may be much where there are many accounts: too much after each request.
const MANY: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// A set of workers.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    name: &'static str,
    most: usize,
    queues: Mutex<Queues>,
    /// Rung for the worker that stays.
    work: Condvar,
    /// Rung when a job is done.
    done: Condvar,
}

/// What a worker does next.
struct Next {
    key: String,
    job: Job,
    /// Whether it is to call another worker first.
    calls: bool,
}

#[derive(Default)]
struct Queues {
    jobs: HashMap<String, VecDeque<Job>>,
    /// The keys that have jobs, in the order of their turns.
    turns: VecDeque<String>,
    running: HashMap<String, usize>,
    /// Jobs that wait.
    queued: usize,
    /// Jobs that are being done.
    busy: usize,
    /// Workers there are, or are about to be.
    workers: usize,
    /// The most workers that there were since memory was given back.
    peak: usize,
    /// Workers that wait for a job.
    idle: usize,
    /// Whether another worker has been called and is not there yet.
    called: bool,
    /// Workers there ever were, for their names.
    started: usize,
    /// Whether no job is begun any more.
    closed: bool,
}

impl Pool {
    /// A pool of at most `most` workers. One stays for good, so that there is one even when the
    /// system has no more threads.
    pub(super) fn new(name: &'static str, most: usize) -> std::io::Result<Self> {
        let pool = Self(Arc::new(Inner {
            name,
            most,
            queues: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        }));
        pool.0.spawn(true)?;
        Ok(pool)
    }

    /// How many of this key's jobs nobody has begun.
    pub(super) fn waiting(&self, key: &str) -> usize {
        self.0.lock().jobs.get(key).map_or(0, VecDeque::len)
    }

    /// Has `job` done when its turn comes.
    pub(super) fn submit(&self, key: &str, job: impl FnOnce() + Send + 'static) {
        let mut queues = self.0.lock();
        if queues.closed {
            return;
        }
        queues.add(key, Box::new(job));
        let (is_awaited, wanted) = (queues.idle > 0, queues.calls_for_another(self.0.most));
        drop(queues);
        if is_awaited {
            self.0.work.notify_one();
        }
        if wanted {
            self.0.call_another();
        }
    }
}

impl Pool {
    /// Drops what waits, and whatever is still submitted.
    pub(super) fn close(&self) {
        let mut queues = self.0.lock();
        queues.closed = true;
        queues.queued = 0;
        queues.turns.clear();
        let dropped = std::mem::take(&mut queues.jobs);
        drop(queues);
        drop(dropped);
    }

    /// Waits until nothing is being done and nothing waits, but not for longer than `limit`. Says
    /// whether that is so.
    pub(super) fn wait_until_idle(&self, limit: Duration) -> bool {
        let queues = self.0.lock();
        let busy = |queues: &mut Queues| queues.busy + queues.queued > 0;
        match self.0.done.wait_timeout_while(queues, limit, busy) {
            Ok((_, waited)) => !waited.timed_out(),
            Err(_) => false,
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(self: &Arc<Self>, stays: bool) -> std::io::Result<()> {
        let pool = Arc::clone(self);
        let mut queues = self.lock();
        queues.started += 1;
        queues.workers += 1;
        queues.peak = queues.peak.max(queues.workers);
        let name = format!("{}-{}", self.name, queues.started);
        drop(queues);
        let spawned = thread::Builder::new()
            .name(name)
            .stack_size(STACK)
            .spawn(move || pool.work(stays));
        if spawned.is_err() {
            self.lock().workers -= 1;
        }
        spawned.map(drop)
    }

    /// Where there is no room for a thread, those that are there do it later.
    fn call_another(self: &Arc<Self>) {
        if self.spawn(false).is_err() {
            self.lock().called = false;
        }
    }

    fn work(self: &Arc<Self>, stays: bool) {
        let mut is_new = !stays;
        while let Some(Next { key, job, calls }) = self.next(stays, is_new) {
            is_new = false;
            if calls {
                self.call_another();
            }
            // A panic is a bug, which has been told of by now; it must not take the worker with it.
            let _ = catch_unwind(AssertUnwindSafe(job));
            // Jobs have secrets, and this thread may now wait for hours, or leave its stack behind.
            sys::wipe_stack();
            self.lock().finished(&key);
            self.work.notify_one();
            self.done.notify_all();
        }
        if self.lock().has_calmed_down() {
            sys::return_memory();
        }
    }

    /// The next job; `None` where this worker is to go.
    fn next(&self, stays: bool, is_new: bool) -> Option<Next> {
        let mut queues = self.lock();
        if is_new {
            // Under the same lock as what follows: in between, somebody else would call another.
            queues.called = false;
        }
        loop {
            if let Some((key, job)) = queues.take(self.most) {
                let calls = queues.calls_for_another(self.most);
                return Some(Next { key, job, calls });
            }
            if !stays {
                queues.workers -= 1;
                return None;
            }
            queues.idle += 1;
            queues = self
                .work
                .wait(queues)
                .unwrap_or_else(PoisonError::into_inner);
            queues.idle -= 1;
        }
    }
}

impl Queues {
    fn add(&mut self, key: &str, job: Job) {
        self.queued += 1;
        if let Some(jobs) = self.jobs.get_mut(key) {
            jobs.push_back(job);
            return;
        }
        self.jobs.insert(key.into(), VecDeque::from([job]));
        self.turns.push_back(key.into());
    }

    /// Whether there is work for one more. They are called one after another, each by the one
    /// before it: whoever submits a thousand jobs must not have to start a hundred threads.
    fn calls_for_another(&mut self, most: usize) -> bool {
        let short = self.queued > self.idle && self.workers < most;
        let wanted = short && !self.called && self.turn(most).is_some();
        self.called |= wanted;
        wanted
    }

    /// Whose turn it is, of those that may have a worker.
    fn turn(&self, most: usize) -> Option<usize> {
        let free = most.saturating_sub(self.busy);
        let running = |key| self.running.get(key).copied().unwrap_or(0);
        self.turns
            .iter()
            .position(|key| running(key) < SHARE * free)
    }

    /// The next job.
    fn take(&mut self, most: usize) -> Option<(String, Job)> {
        let turn = self.turn(most)?;
        let key = self.turns.remove(turn)?;
        let jobs = self.jobs.get_mut(&key)?;
        let job = jobs.pop_front()?;
        if jobs.is_empty() {
            self.jobs.remove(&key);
        } else {
            self.turns.push_back(key.clone());
        }
        *self.running.entry(key.clone()).or_default() += 1;
        self.busy += 1;
        self.queued -= 1;
        Some((key, job))
    }

    /// Whether the last of many workers has just gone.
    const fn has_calmed_down(&mut self) -> bool {
        let calm = self.workers <= 1 && self.peak >= MANY;
        if calm {
            self.peak = 0;
        }
        calm
    }

    fn finished(&mut self, key: &str) {
        self.busy -= 1;
        if let Some(running) = self.running.get_mut(key) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_key_that_hangs_leaves_workers_for_others() {
        let pool = Pool::new("test", 16).unwrap();
        let (release, hung) = mpsc::channel::<()>();
        let hung = Arc::new(Mutex::new(hung));
        for _ in 0..100 {
            let hung = Arc::clone(&hung);
            pool.submit("dead", move || {
                let _ = hung.lock().map(|hung| hung.recv());
            });
        }
        let (done, finished) = mpsc::channel();
        for _ in 0..100 {
            let done = done.clone();
            pool.submit("alive", move || done.send(()).unwrap());
        }
        for _ in 0..100 {
            finished.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        drop(release);
    }

    #[test]
    fn a_panic_costs_no_worker() {
        let pool = Pool::new("test", 1).unwrap();
        pool.submit("a", || panic!("on purpose"));
        let (done, finished) = mpsc::channel();
        pool.submit("a", move || done.send(()).unwrap());
        finished.recv_timeout(Duration::from_secs(30)).unwrap();
    }

    #[test]
    fn never_more_at_once_than_allowed() {
        let pool = Pool::new("test", 4).unwrap();
        let running = Arc::new(Mutex::new((0_usize, 0_usize)));
        let (done, finished) = mpsc::channel();
        for key in 0..40 {
            let (running, done) = (Arc::clone(&running), done.clone());
            pool.submit(&format!("{}", key % 5), move || {
                let mut counts = running.lock().unwrap();
                counts.0 += 1;
                counts.1 = counts.1.max(counts.0);
                drop(counts);
                std::thread::yield_now();
                running.lock().unwrap().0 -= 1;
                done.send(()).unwrap();
            });
        }
        for _ in 0..40 {
            finished.recv_timeout(Duration::from_secs(30)).unwrap();
        }
        assert!(running.lock().unwrap().1 <= 4);
    }
}
