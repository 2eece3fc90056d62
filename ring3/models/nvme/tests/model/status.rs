//! Status values against the specification's figures (Base 2.0 §3.3.3.2.1.1 to
//! §3.3.3.2.1.3, NVM command set 1.0 §3.1).

use nvme_model::Status;

const DNR: u16 = 1 << 14;

#[test]
fn status_values_are_those_of_the_specification() {
    let generic = 0x000;
    let specific = 0x100;
    let media = 0x200;
    let values = [
        (Status::SUCCESS, generic),
        (Status::INVALID_OPCODE, generic | 0x01 | DNR),
        (Status::INVALID_FIELD, generic | 0x02 | DNR),
        (Status::COMMAND_ID_CONFLICT, generic | 0x03 | DNR),
        (Status::DATA_TRANSFER_ERROR, generic | 0x04),
        (Status::ABORT_REQUESTED, generic | 0x07),
        (Status::ABORTED_SQ_DELETION, generic | 0x08),
        (Status::INVALID_NAMESPACE_OR_FORMAT, generic | 0x0b | DNR),
        (Status::COMMAND_SEQUENCE_ERROR, generic | 0x0c | DNR),
        (Status::INVALID_SGL_SEGMENT, generic | 0x0d | DNR),
        (Status::INVALID_SGL_COUNT, generic | 0x0e | DNR),
        (Status::DATA_SGL_LENGTH_INVALID, generic | 0x0f | DNR),
        (Status::SGL_TYPE_INVALID, generic | 0x11 | DNR),
        (Status::INVALID_PRP_OFFSET, generic | 0x13 | DNR),
        (Status::LBA_OUT_OF_RANGE, generic | 0x80 | DNR),
        (Status::COMPLETION_QUEUE_INVALID, specific | DNR),
        (Status::INVALID_QUEUE_IDENTIFIER, specific | 0x01 | DNR),
        (Status::INVALID_QUEUE_SIZE, specific | 0x02 | DNR),
        (Status::ABORT_LIMIT_EXCEEDED, specific | 0x03),
        (Status::ASYNC_EVENT_LIMIT_EXCEEDED, specific | 0x05 | DNR),
        (Status::INVALID_INTERRUPT_VECTOR, specific | 0x08 | DNR),
        (Status::INVALID_LOG_PAGE, specific | 0x09 | DNR),
        (Status::INVALID_FORMAT, specific | 0x0a | DNR),
        (Status::INVALID_QUEUE_DELETION, specific | 0x0c | DNR),
        (Status::FEATURE_NOT_SAVEABLE, specific | 0x0d | DNR),
        (
            Status::FEATURE_NOT_NAMESPACE_SPECIFIC,
            specific | 0x0f | DNR,
        ),
        (Status::UNRECOVERED_READ_ERROR, media | 0x81 | DNR),
        (Status::COMPARE_FAILURE, media | 0x85 | DNR),
    ];
    for (status, value) in values {
        assert_eq!(status.0, value, "{status:x?}");
    }
}
