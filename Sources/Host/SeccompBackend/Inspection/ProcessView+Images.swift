// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// What stands in memory and equals a file is that file, although the kernel doesn't say so.
extension ProcessView {
    private var files: ImageFiles { shared.files }

    private var fileBytes: FileBytes {
        FileBytes { [memory] address, count in
            let bytes = memory.read(address, count)
            return bytes.count == count ? bytes : nil
        }
    }

    /// How the written page that the instruction before an address lies in differs from the file's; `nil` where that can't be
    /// determined.
    func comparison(of entry: MapEntry, at address: UInt64) -> PageComparison? {
        files.pages.comparison(
            ofInstructionEndingAt: address, in: entry,
            of: .init(id: memory.thread, memory: fileBytes, mapping: { [space] in space.entry(at: $0) }))
    }

    /// The path of the image that code without a file is a copy of, in the image's place; `nil` if it isn't one.
    func copiedImage(of entry: MapEntry, at address: UInt64) -> String? {
        guard !files.isNoCopy(entry.start) else { return nil }
        let found = files.pages.comparison(
            ofCopiedInstructionEndingAt: address, in: entry,
            of: .init(id: memory.thread, memory: fileBytes, mapping: { [space] in space.entry(at: $0) }))
        guard let found else {
            files.setNoCopy(entry.start)
            return nil
        }
        return found.comparison.isImage ? found.path : nil
    }

    /// The path of the packed executable that unpacked the code at an address; `nil` if none did, or the code isn't what it was
    /// when it was first looked at.
    func packedProgram(unpacking entry: MapEntry, at address: UInt64) -> String? {
        guard entry.inode == 0, let program = files.packedProgram(findIt: findPackedProgram), program.unpacked(entry),
            program.isUnchanged(at: address - 1, memory: fileBytes)
        else { return nil }
        return program.path
    }

    /// The packed program that the process runs, if all of its code that is on the stack is what it was: what called a function
    /// of it could be code of somebody else's, written over the program's.
    private func findPackedProgram() -> PackedProgram? {
        guard let process = ProcFS.status(of: memory.thread, "Tgid"), let program = files.programs.program(of: process, memory: fileBytes)
        else { return nil }
        let callers = memory.words(stackPointer, count: ReturnAddressScan.maxWords, size: 8)
        let pages = Set(
            callers.filter { program.unpacked($0) && memory.hasCallInstruction(endingAt: $0) }.map { ($0 - 1) & ~(MapEntry.pageSize - 1) })
        return pages.allSatisfy { program.isUnchanged(at: $0, memory: fileBytes) } ? program : nil
    }
}

/// What is known of files, from call to call, and what one inspection found out so far.
final class ImageFiles {
    let pages = ImagePages()
    let programs = PackedPrograms()
    private var packed: PackedProgram??
    private var noCopies: Set<UInt64> = []

    /// Begins an inspection: what the last one found of its process is forgotten.
    func begin() {
        packed = nil
        noCopies.removeAll(keepingCapacity: true)
    }

    func packedProgram(findIt find: () -> PackedProgram?) -> PackedProgram? {
        if let packed { return packed }
        let found = find()
        packed = .some(found)
        return found
    }

    /// Whether the mapping that begins at an address is no copy of an image.
    func isNoCopy(_ start: UInt64) -> Bool { noCopies.contains(start) }

    func setNoCopy(_ start: UInt64) { noCopies.insert(start) }
}
