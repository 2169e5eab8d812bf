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
            let file = ImagePages.open(mapping, process), let table = Self.table(file),
            let address = table.layout.address(ofFileOffset: question.offset), let end = table.frameEnd(at: address)
        else {
            answer = .noFrame
            return
        }
        answer = .frame(LibraryFrames.Frame(end: end, function: 0, isPointedAt: true, callNumber: nil))
    }

    private static func table(_ file: FileDescriptor) -> UnwindTable? {
        guard let header = try? DescriptorIO.bytes(file.number, at: 0, count: UnwindTable.maxHeaderSize),
            let layout = UnwindTable.layout(ofImage: header), let place = Int(exactly: layout.index.offset),
            let head = try? DescriptorIO.bytes(file.number, at: place, count: UnwindTable.indexHeadSize),
            let range = UnwindTable.range(of: layout, index: head), let start = Int(exactly: range.offset),
            let bytes = try? DescriptorIO.bytes(file.number, at: start, count: range.count)
        else { return nil }
        return UnwindTable(layout, bytes, at: range.offset)
    }
}

extension KernelEvent {
    /// The return address in an image that a question about a frame is about.
    fileprivate var callersAddressInImage: UInt64 { deeperAddress }
}
