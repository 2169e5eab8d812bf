// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import InputFiles
import SignatureMaking
import Signatures

/// Takes a file of code: a region of memory, or a part of one.
struct CodeInput {
    let file: InputFile
    let input: ExtractInput

    /// In bytes: how much of the padding behind the code is left on, since an instruction may end in zeros.
    private static let keptPadding = 8

    func found() throws(EpitopeError) -> ExtractInput.Found {
        let bytes = try file.bytes(maxBytes: ExtractInput.maxCodeBytes)
        let start = try input.base.map { text throws(EpitopeError) in try ExtractInput.address(text, option: "--base") } ?? 0
        guard !start.addingReportingOverflow(UInt64(bytes.count)).overflow else { throw outside(start, start, bytes.count) }
        let code = ExtractedCode(base: start, bytes: bytes, isWholeRegion: true)
        guard let text = input.caller else { return try withoutCaller(code) }
        let called = try ExtractInput.address(text, option: "--caller")
        guard let offset = code.offset(of: called), offset > 0 else { throw outside(called, start, bytes.count) }
        return ExtractInput.Found(samples: [named(code, called)])
    }

    /// Without a caller's address: one that can be meant alone is taken, and said; else the user chooses.
    private func withoutCaller(_ code: ExtractedCode) throws(EpitopeError) -> ExtractInput.Found {
        guard let last = code.bytes.lastIndex(where: { $0 != 0 }) else {
            throw EpitopeError(
                .codeEmpty, "\(file.path) holds nothing but zeros", remedy: "name a file with the code that the call came from")
        }
        let padding = code.bytes.count - last - 1
        var trimmed = code
        trimmed.bytes.removeLast(max(0, padding - Self.keptPadding))
        let callers = CallerSearch.callers(in: trimmed, architecture: input.architecture)
        let end = code.base + UInt64(last + 1)
        guard let caller = ProposedCaller.only(of: callers, end: end) else {
            let listing = CallerListing(
                path: file.path, architecture: input.architecture, callers: callers, isCore: false, paddingBytes: padding,
                codeBytes: last + 1)
            return ExtractInput.Found(listing: listing)
        }
        trimmed.bytes.removeLast(trimmed.bytes.count - max(last + 1, caller.call.end))
        var note = "\(file.path): 0x\(String(caller.address, radix: 16)) is taken as the caller's address: "
        note += "it is right after \(CallNames.text(of: caller.call, input.architecture))"
        if padding > 0 { note += "; \(padding) zero bytes of padding are left out" }
        return ExtractInput.Found(samples: [named(trimmed, caller.address)], notes: [note])
    }

    private func named(_ code: ExtractedCode, _ caller: UInt64) -> ExtractInput.Named {
        ExtractInput.Named(
            name: file.path, sample: Sample(code: code, callersAddress: caller, architecture: input.architecture, context: .any),
            timeMilliseconds: file.modifiedMilliseconds)
    }

    private func outside(_ caller: UInt64, _ start: UInt64, _ count: Int) -> EpitopeError {
        EpitopeError(
            .callerOutsideCode,
            "the caller's address 0x\(String(caller, radix: 16)) is outside \(file.path), which has \(count) bytes "
                + "from 0x\(String(start, radix: 16))",
            remedy: "give the address of the first byte with --base and the caller's address with --caller")
    }
}
