//! Namespaces that come, go and change past the host.

use crate::config::{Invalid, NamespaceConfig};
use crate::controller::Controller;
use crate::memory::Memory;
use crate::namespace::Namespace;

impl<M: Memory> Controller<M> {
    /// A namespace, past the controller.
    pub fn namespace(&self, id: u32) -> Option<&Namespace> {
        self.namespaces.get((id as usize).checked_sub(1)?)?.as_ref()
    }

    /// Makes a namespace, past the host, which may be told by an event.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if there can be no such namespace, or is one already; then
    /// nothing changes.
    pub fn add_namespace(&mut self, namespace: &NamespaceConfig) -> Result<(), Invalid> {
        namespace.check(self.config.max_namespaces)?;
        let slot = &mut self.namespaces[namespace.id as usize - 1];
        if slot.is_some() {
            return Err(Invalid(format!(
                "namespace {}: it is there already; remove it first",
                namespace.id
            )));
        }
        *slot = Some(Namespace::new(namespace, self.config.write_cache));
        self.namespace_changed(namespace.id);
        Ok(())
    }

    /// Takes a namespace and its data away, past the host, which may be told by
    /// an event.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it is not there.
    pub fn remove_namespace(&mut self, id: u32) -> Result<(), Invalid> {
        self.namespace_mut(id)?;
        self.namespaces[id as usize - 1] = None;
        self.namespace_changed(id);
        Ok(())
    }

    /// Gives a namespace another size in blocks, past the host, which may be
    /// told by an event. Blocks beyond it are lost.
    ///
    /// # Errors
    ///
    /// [`Invalid`] if it is not there or cannot have that size; then nothing
    /// changes.
    pub fn resize_namespace(&mut self, id: u32, blocks: u64) -> Result<(), Invalid> {
        let namespace = self.namespace_mut(id)?;
        if blocks == 0 || blocks > 1 << (63 - namespace.shift()) {
            return Err(Invalid(format!(
                "namespace {id}: {blocks} blocks: it must be 1 to 2^63 bytes"
            )));
        }
        namespace.resize(blocks);
        self.namespace_changed(id);
        Ok(())
    }

    fn namespace_mut(&mut self, id: u32) -> Result<&mut Namespace, Invalid> {
        let slot = (id as usize).checked_sub(1);
        let found = slot.and_then(|slot| self.namespaces.get_mut(slot)?.as_mut());
        found.ok_or_else(|| Invalid(format!("namespace {id}: there is none; add it first")))
    }
}
