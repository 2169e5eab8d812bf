// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import FileAccess
import ProcessInspection
import UnwindTables

/// How far the frame of an image's function reaches that made a call through a register, by the image's unwind tables.
struct CallersFrame {
    let answer: QuestionAnswer

    init(_ event: KernelEvent, _ mappings: ProcessMappings) {
        let question = event.question
        // What can be changed is no answer for the next process.
        guard let process = mappings.processID, event.callersAddressInImage > 0,
            let mapping = mappings.entry(at: event.callersAddressInImage - 1), mapping.inode == question.inode,
            let file = ImagePages.open(mapping, process),
            let table = UnwindTable.read(by: { try? DescriptorIO.bytes(file.number, at: $0, count: $1) }),
            let address = table.layout.address(ofFileOffset: question.offset), let end = table.frameEnd(at: address)
        else {
            answer = .noFrame
            return
        }
        answer = .frame(LibraryFrames.Frame(end: end, function: 0, isPointedAt: true, callNumber: nil))
    }
}

extension KernelEvent {
    /// The return address in an image that a question about a frame is about.
    fileprivate var callersAddressInImage: UInt64 { deeperAddress }
}
