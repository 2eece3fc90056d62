//! Admin commands (Base 2.0 §5).

use crate::command::Command;
use crate::controller::Controller;
use crate::data::Direction;
use crate::memory::Memory;
use crate::status::Status;
use crate::work::{Late, LateWork, Outcome};

/// Opcodes of admin commands.
pub(crate) mod opcode {
    pub const DELETE_IO_SQ: u8 = 0x00;
    pub const CREATE_IO_SQ: u8 = 0x01;
    pub const GET_LOG_PAGE: u8 = 0x02;
    pub const DELETE_IO_CQ: u8 = 0x04;
    pub const CREATE_IO_CQ: u8 = 0x05;
    pub const IDENTIFY: u8 = 0x06;
    pub const ABORT: u8 = 0x08;
    pub const SET_FEATURES: u8 = 0x09;
    pub const GET_FEATURES: u8 = 0x0a;
    pub const ASYNC_EVENT_REQUEST: u8 = 0x0c;
    pub const DOORBELL_BUFFER_CONFIG: u8 = 0x7c;
    pub const FORMAT_NVM: u8 = 0x80;
    /// Those without effects that every controller has.
    pub const ALWAYS: [u8; 10] = [
        DELETE_IO_SQ,
        CREATE_IO_SQ,
        GET_LOG_PAGE,
        DELETE_IO_CQ,
        CREATE_IO_CQ,
        IDENTIFY,
        ABORT,
        SET_FEATURES,
        GET_FEATURES,
        ASYNC_EVENT_REQUEST,
    ];
}

impl<M: Memory> Controller<M> {
    /// Executes an admin command.
    pub(crate) fn admin(&mut self, command: &Command) -> Outcome {
        // SGLs are not for admin commands over PCIe (§3.3.3.1, PSDT).
        if command.psdt() != 0 {
            return Outcome::Done(0, Status::INVALID_FIELD);
        }
        match command.opcode {
            opcode::DELETE_IO_SQ => self.delete_io_sq(command).into(),
            opcode::CREATE_IO_SQ => self.create_io_sq(command).into(),
            opcode::GET_LOG_PAGE => self.get_log_page(command).into(),
            opcode::DELETE_IO_CQ => self.delete_io_cq(command).into(),
            opcode::CREATE_IO_CQ => self.create_io_cq(command).into(),
            opcode::IDENTIFY => self.identify(command).into(),
            opcode::ABORT => self.abort(command).into(),
            opcode::SET_FEATURES => self.set_features(command).into(),
            opcode::GET_FEATURES => self.get_features(command).into(),
            opcode::ASYNC_EVENT_REQUEST => self.async_event_request(command.id.get()),
            opcode::DOORBELL_BUFFER_CONFIG => self.doorbell_buffer_config(command).into(),
            opcode::FORMAT_NVM => self.format_nvm(command).into(),
            _ => Outcome::Done(0, Status::INVALID_OPCODE),
        }
    }

    /// Finds the `length` bytes that an admin command gives to the host.
    pub(crate) fn locate_for_admin(
        &mut self,
        command: &Command,
        length: u64,
    ) -> Result<(), Status> {
        self.locate(command, length, Direction::ToHost)
    }

    /// Gives `data` to the host, all of it.
    pub(crate) fn give(&mut self, command: &Command, data: &[u8]) -> Result<(), Status> {
        self.locate_for_admin(command, data.len() as u64)?;
        crate::data::give(&self.memory, &self.segments, data)
    }

    /// Abort (§5.1). Doubleword 0 is 0 if the command was aborted, else 1: most
    /// have ended already.
    fn abort(&mut self, command: &Command) -> Result<u32, Status> {
        let dw10 = command.dw10.get();
        let (sq_id, id) = (dw10 as u16, (dw10 >> 16) as u16);
        if self.pending_aborts() > usize::from(self.config.aborts) {
            return Err(Status::ABORT_LIMIT_EXCEEDED);
        }
        let waits = self.late.iter().position(|late| match &late.what {
            LateWork::Command { sq, command, .. } => *sq == sq_id && command.id.get() == id,
            LateWork::Completion { .. } => false,
        });
        if let Some(waits) = waits {
            self.late.remove(waits);
        } else if sq_id != 0 || !self.events.withdraw(id) {
            return Ok(1);
        }
        self.complete(sq_id, id, 0, Status::ABORT_REQUESTED);
        Ok(0)
    }

    /// Abort commands that were fetched and not executed, and this one.
    fn pending_aborts(&self) -> usize {
        let is_abort = |late: &&Late| match &late.what {
            LateWork::Command { sq: 0, command, .. } => command.opcode == opcode::ABORT,
            _ => false,
        };
        1 + self.late.iter().filter(is_abort).count()
    }

    /// Format NVM (§5.14). The broadcast identifier formats all namespaces.
    fn format_nvm(&mut self, command: &Command) -> Result<(), Status> {
        let dw10 = command.dw10.get();
        let format = (dw10 & 0xf | (dw10 >> 12 & 0b11) << 4) as usize;
        // No metadata (MSET), no protection (PI, PIL).
        if dw10 >> 4 & 0x1f != 0 {
            return Err(Status::INVALID_FORMAT);
        }
        // No secure erase, or user data erase.
        if dw10 >> 9 & 0b111 > 1 {
            return Err(Status::INVALID_FIELD);
        }
        let nsid = command.nsid.get();
        if nsid != u32::MAX {
            let namespace = self.active_namespace(nsid)?;
            if format >= namespace.formats().len() {
                return Err(Status::INVALID_FORMAT);
            }
            namespace.reformat(format);
            return Ok(());
        }
        let namespaces = || self.namespaces.iter().flatten();
        if namespaces().any(|namespace| format >= namespace.formats().len()) {
            return Err(Status::INVALID_FORMAT);
        }
        for namespace in self.namespaces.iter_mut().flatten() {
            namespace.reformat(format);
        }
        Ok(())
    }
}
