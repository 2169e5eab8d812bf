// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import InputFiles
import SignatureMaking
import Signatures

/// Takes a core dump: the region that the caller's address lies in, or if nobody knows it, what may be meant.
struct CoreInput {
    let file: InputFile
    let input: ExtractInput

    func found() throws(EpitopeError) -> ExtractInput.Found {
        let core: CoreDump
        do throws(EpitopeError) {
            core = try CoreDump(size: UInt64(file.size), read: file.read)
        } catch {
            throw error.about(file.path)
        }
        var notes: [String] = []
        if core.isCutShort { notes.append("\(file.path) is cut short: it lacks memory that its headers promise") }
        if !core.hasFileList {
            notes.append("\(file.path) has no list of mapped files (NT_FILE): code of files can't be told from other code")
        }
        if let text = input.caller {
            let caller = try ExtractInput.address(text, option: "--caller")
            var found = try sample(core, caller)
            found.notes = notes + found.notes
            return found
        }
        let callers = CallerSearch.callers(in: core, read: file.read)
        guard core.hasFileList, let caller = ProposedCaller.only(of: callers, end: nil) else {
            return ExtractInput.Found(notes: notes, listing: CallerListing(path: file.path, core: core, callers: callers))
        }
        var found = try sample(core, caller.address)
        let place = "0x\(String(caller.address, radix: 16))"
        let what = "\(CallNames.text(of: caller.call, core.architecture)), \(CallNames.text(of: caller.reason))"
        found.notes = notes + found.notes + ["\(file.path): \(place) is taken as the caller's address: it is right after \(what)"]
        return found
    }

    private func sample(_ core: CoreDump, _ caller: UInt64) throws(EpitopeError) -> ExtractInput.Found {
        let place = "0x\(String(caller, radix: 16))"
        guard let region = core.region(ofCaller: caller) else {
            throw EpitopeError(
                .callerOutsideCode, "the caller's address \(place) is in no region of \(file.path)",
                remedy: "leave --caller out: the calls that may be meant are listed")
        }
        let room = ExtractInput.maxRegionBytes
        let isWhole = region.end - region.start <= room
        let start = isWhole ? region.start : max(region.start, caller > room ? caller - room : 0)
        let end = isWhole ? region.end : min(region.end, caller + min(room, .max - caller))
        var bytes = core.bytes(at: start, count: Int(end - start), read: file.read)
        guard UInt64(bytes.count) >= caller - start else {
            throw EpitopeError(
                .memoryMissing, "\(file.path) does not hold the memory at \(place)",
                remedy: "dump the process with gcore, or with 0x3f in its /proc/PID/coredump_filter")
        }
        var found = ExtractInput.Found()
        if !region.isUnbackedCode {
            let what = region.file ?? (region.isKernels ? "the kernel" : "memory that is not executable")
            found.notes.append("\(place) is in \(what): a signature of it may match what is no attack")
        }
        // What fills the last page up is no part of the code: a signature of it would miss the same code elsewhere.
        let isAll = isWhole && bytes.count == Int(end - start)
        bytes.removeLast(bytes.count - max(Int(caller - start), (bytes.lastIndex { $0 != 0 } ?? -1) + 1))
        let code = ExtractedCode(base: start, bytes: bytes, isWholeRegion: isAll)
        found.samples = [
            ExtractInput.Named(
                name: file.path, sample: Sample(code: code, callersAddress: caller, architecture: core.architecture, context: .any),
                timeMilliseconds: file.modifiedMilliseconds)
        ]
        return found
    }
}
