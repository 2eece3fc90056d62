// SPDX-License-Identifier: GPL-2.0-only

//! Reference counts.

use kernel::cred::Credential;
use kernel::prelude::*;
use kernel::sync::aref::ARef;
use kernel::sync::atomic::Relaxed;
use kernel::sync::{Arc, Refcount};
use kernel::task::Task;

use crate::files::any_file;
use crate::measure::{opaque, Run};

/// Without the increment, the decrement would find that it was the last one.
#[inline(never)]
pub(crate) fn rf_api_refcount(run: &mut Run) -> Result {
    let count = opaque(KBox::new(Refcount::new(1), GFP_KERNEL)?);
    let mut effect = 0u64;
    measure!(run, |_| {
        count.inc();
        count!(effect, !count.dec_and_test());
    });
    run.effect = if count.as_atomic().load(Relaxed) == 1 {
        effect
    } else {
        0
    };
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_arc(run: &mut Run) -> Result {
    let object = opaque(Arc::new(7u64, GFP_KERNEL)?);
    let mut effect = 0u64;
    measure!(run, |_| {
        let clone = opaque(object.clone());
        count!(effect, *clone == 7);
    });
    run.effect = if Arc::into_unique_or_drop(object).is_some() {
        effect
    } else {
        0
    };
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_task_reference(run: &mut Run) -> Result {
    let current = current!();
    let task: &Task = current;
    let pid = task.pid();
    let mut effect = 0u64;
    measure!(run, |_| {
        let clone = opaque(ARef::from(task));
        count!(effect, clone.pid() == pid);
    });
    run.effect = effect;
    Ok(())
}

/// The credentials of an open file.
#[inline(never)]
pub(crate) fn rf_api_cred_reference(run: &mut Run) -> Result {
    let file = any_file()?;
    let euid = file.cred().euid();
    let mut effect = 0u64;
    measure!(run, |_| {
        let cred: ARef<Credential> = opaque(ARef::from(file.cred()));
        count!(effect, cred.euid() == euid);
    });
    run.effect = effect;
    Ok(())
}
