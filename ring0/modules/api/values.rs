// SPDX-License-Identifier: GPL-2.0-only

//! Error values and parameters.

use kernel::error::{from_err_ptr, to_result};
use kernel::prelude::*;
use ring0::parameter;

use crate::measure::{opaque, Run};

#[inline(never)]
pub(crate) fn rf_api_module_parameter(run: &mut Run) -> Result {
    let mut effect = 0u64;
    measure!(run, |_| {
        count!(effect, opaque(parameter!(depth)) == 128);
    });
    run.effect = effect;
    Ok(())
}

/// What a function answered: an error, or not.
#[inline(never)]
pub(crate) fn rf_api_error_number(run: &mut Run) -> Result {
    let invalid = EINVAL.to_errno();
    let mut effect = 0u64;
    measure!(run, |_| {
        if let Err(error) = to_result(opaque(invalid)) {
            count!(effect, opaque(error.to_errno()) == invalid);
        }
    });
    run.effect = effect;
    Ok(())
}

#[inline(never)]
pub(crate) fn rf_api_error_pointer(run: &mut Run) -> Result {
    let invalid = EINVAL.to_errno();
    let pointer = EINVAL.to_ptr::<u8>();
    let mut effect = 0u64;
    measure!(run, |_| {
        if let Err(error) = from_err_ptr(opaque(pointer)) {
            count!(effect, opaque(error.to_errno()) == invalid);
        }
    });
    run.effect = effect;
    Ok(())
}
