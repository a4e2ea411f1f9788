//! The measurements: cold starts and series of warm calls, the two programs by turns.
//!
//! Only one program lives at a time, and the order changes from pair to pair (ABBA), so that neither
//! always finds the machine as the other left it.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;

use crate::child::{Child, Program};
use crate::requests::{REQUESTS, Request};
use crate::statistics::percentile;
use crate::world::{Way, World};

/// The two programs.
#[derive(Debug)]
pub struct Programs {
    /// The function.
    pub function: Program,
    /// What it is held against.
    pub peer: Program,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Amount {
    /// Cold starts of each program.
    pub cold: usize,
    /// Series of warm calls of each program.
    pub series: usize,
    /// Calls in a series.
    pub calls: usize,
    /// Calls before a series, which nobody counts: the peer's compiler needs some to be at its best.
    pub before: usize,
}

/// The values of one measure, pair by pair.
#[derive(Debug, Default, Clone)]
pub struct Pairs {
    /// The function's.
    pub function: Vec<f64>,
    /// The peer's.
    pub peer: Vec<f64>,
}

/// What a cold start gives, in this order: milliseconds of CPU until the first `next`; milliseconds
/// until then; milliseconds until the first answer; of CPU until then; logins, round trips and reads of
/// the secret until then.
pub type Cold = [Pairs; 7];
/// What a warm series gives, in this order: microseconds that half of the calls and 99 of 100 take at
/// most; microseconds of CPU per call; round trips per call; the most memory, in megabytes.
pub type Warm = [Pairs; 5];

/// Both must say the same before it is worth knowing who says it faster.
///
/// # Errors
/// When they do not, or one of them does not answer.
pub async fn compare(world: &World, way: &Way, programs: &Programs) -> Result<()> {
    let mut function = Child::start(&programs.function, way).await?;
    let mut peer = Child::start(&programs.peer, way).await?;
    for child in [&mut function, &mut peer] {
        child.ready().await?;
    }
    for request in REQUESTS {
        let payload = request.event();
        let ours = request.essence(&function.call(world.event(&payload)).await?.body)?;
        let theirs = request.essence(&peer.call(world.event(&payload)).await?.body)?;
        ensure!(ours == theirs, "{} is answered with {ours} and with {theirs}", request.name());
    }
    function.end().await?;
    peer.end().await
}

/// Starts both programs again and again, and asks each once.
///
/// # Errors
/// When one of them fails.
pub async fn cold(world: &World, way: &Way, programs: &Programs, amount: Amount) -> Result<Cold> {
    let request = &REQUESTS[0];
    let payload = request.event();
    let once = async |program: &Program| {
        let before = world.counts();
        let mut child = Child::start(program, way).await?;
        let ready = child.ready().await?;
        let init_cpu = child.cpu_ms()?;
        let answered = child.call(world.event(&payload)).await?;
        let cpu = child.cpu_ms()?;
        request.essence(&answered.body)?;
        let asked = world.counts().since(before);
        child.end().await?;
        Ok([
            init_cpu,
            ms(ready),
            ms(ready + answered.took),
            cpu,
            asked.logins as f64,
            asked.round_trips as f64,
            asked.secret_reads as f64,
        ])
    };
    by_turns(programs, amount.cold, once).await
}

/// Has both programs answer the same request many times.
///
/// # Errors
/// When one of them fails.
pub async fn warm(
    world: &World,
    way: &Way,
    programs: &Programs,
    request: &Request,
    amount: Amount,
) -> Result<Warm> {
    let payload = request.event();
    let series = async |program: &Program| {
        let mut child = Child::start(program, way).await?;
        child.ready().await?;
        for _ in 0..amount.before {
            child.call(world.event(&payload)).await?;
        }
        let (counts, cpu) = (world.counts(), child.cpu_ms()?);
        let took = calls(world, &mut child, request, &payload, amount.calls).await?;
        let per_call = |sum: f64| sum / amount.calls as f64;
        let cpu = child.cpu_ms()? - cpu;
        let round_trips = world.counts().since(counts).round_trips;
        let memory = child.peak_memory_mb()?;
        child.end().await?;
        Ok([
            percentile(&took, 50.0),
            percentile(&took, 99.0),
            per_call(cpu * 1e3),
            per_call(round_trips as f64),
            memory,
        ])
    };
    by_turns(programs, amount.series, series).await
}

/// The times of so many calls, in microseconds.
async fn calls(
    world: &World,
    child: &mut Child,
    request: &Request,
    payload: &Bytes,
    count: usize,
) -> Result<Vec<f64>> {
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let answered = child.call(world.event(payload)).await?;
        request.essence(&answered.body)?;
        took.push(ms(answered.took) * 1e3);
    }
    Ok(took)
}

async fn by_turns<const N: usize>(
    programs: &Programs,
    count: usize,
    measure: impl AsyncFn(&Program) -> Result<[f64; N]>,
) -> Result<[Pairs; N]> {
    let mut all: [Pairs; N] = std::array::from_fn(|_| Pairs::default());
    for pair in 0..count {
        let (function, peer) = if pair % 2 == 0 {
            let function = measure(&programs.function).await?;
            (function, measure(&programs.peer).await?)
        } else {
            let peer = measure(&programs.peer).await?;
            (measure(&programs.function).await?, peer)
        };
        for (pairs, (function, peer)) in all.iter_mut().zip(function.into_iter().zip(peer)) {
            pairs.function.push(function);
            pairs.peer.push(peer);
        }
    }
    Ok(all)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
