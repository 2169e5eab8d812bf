// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// What an event says, completed by the process's own files: the observation, and what is reported of it.
struct EventInterpretation {
    let event: KernelEvent
    /// The process's mappings, while it exists.
    let mappings: ProcessMappings
    /// What is known of the code at the caller beyond what the kernel told.
    let code: CodeOrigins.Finding
    /// The same of the code before a return address that the kernel holds for impossible or can't check.
    let returnCode: CodeOrigins.Finding
    /// The same of the library's code that entered the kernel, where the call came from other code.
    let libraryCode: CodeOrigins.Finding

    init(event: KernelEvent, mappings: ProcessMappings, origins: CodeOrigins) {
        self.event = event
        self.mappings = mappings
        code = origins.finding(event, at: event.finding == .deeper ? event.deeperAddress : event.callersAddress, mappings)
        returnCode = [.impossible, .unchecked].contains(event.finding) ? origins.findingOfReturn(event, mappings) : .init()
        libraryCode = event.finding == .direct ? .init() : origins.findingOfLibrary(event, mappings)
    }

    /// The observation; `nil` where it turns out not to be evidence: a page of an image that was not written.
    func observation() -> Observation? {
        let architecture: Architecture = event.is32BitCode ? .x86_32 : .x86_64
        switch event.finding {
        case .direct:
            guard let region = region(event.region, at: event.callersAddress) else { return nil }
            return Observation(
                architecture: architecture, call: event.call, instructionPointer: event.callersAddress, region: region,
                packedProgram: code.packedProgram, pageDifference: code.difference, sendBuffer: sendBuffer, callersCode: callersCode)
        case .library:
            guard let caller = region(event.region, at: event.callersAddress) else { return nil }
            return Observation(
                architecture: architecture, call: event.call, instructionPointer: event.instructionPointer, region: library,
                returnAddresses: [.init(address: event.callersAddress, region: caller)], packedProgram: code.packedProgram,
                pageDifference: code.difference, sendBuffer: sendBuffer, callersCode: callersCode)
        case .deeper:
            guard let deeper = region(event.region, at: event.deeperAddress), code.packedProgram == nil else { return nil }
            // The library's caller is an image, and the event doesn't describe it: the library stands in for it.
            return Observation(
                architecture: architecture, call: event.call, instructionPointer: event.instructionPointer, region: library,
                returnAddresses: [
                    .init(address: event.instructionPointer, region: library), .init(address: event.deeperAddress, region: deeper),
                ])
        case .impossible, .unchecked:
            return Observation(
                architecture: architecture, call: event.call, instructionPointer: event.instructionPointer, region: library,
                returnAddresses: [.init(address: event.deeperAddress, region: returnRegion, check: check)],
                // The kernel program looks at processes that have it, or had it.
                hasUnbackedCode: true, sendBuffer: sendBuffer)
        case .unattributable, .uninspectable, .program, .question:
            return nil
        }
    }

    /// The region of the instruction that entered the kernel.
    private var library: MemoryRegion {
        MemoryRegion(
            start: event.library.start, end: max(event.library.end, event.library.start + 1),
            protection: event.library.protection,
            backing: libraryCode.isImage
                ? .image(path: mappings.name(of: event.library.start) ?? "") : backing(event.library, at: event.instructionPointer))
    }

    /// The region of a return address in an image; where nothing is mapped, of that address alone.
    private var returnRegion: MemoryRegion {
        let region = event.region
        // Memory that can't be executed isn't the caller's, whatever stands behind it.
        let backing: MemoryBacking =
            event.defect == .noCode || returnCode.isImage
            ? .image(path: mappings.name(of: region.start) ?? "memory that holds no code") : backing(region, at: event.deeperAddress)
        guard region.start < region.end else {
            return MemoryRegion(start: event.deeperAddress, end: event.deeperAddress &+ 1, protection: [], backing: backing)
        }
        return MemoryRegion(start: region.start, end: region.end, protection: region.protection, backing: backing)
    }

    private var check: Observation.CallCheck {
        switch event.defect {
        // The kernel program read a breakpoint or a probe where the file has the call.
        case .noCall where returnCode.isImage: .unchecked
        case .noCode: .impossible(reason: "no code is mapped there")
        case .noCall: .impossible(reason: "no call stands before it")
        case .otherFunction: .impossible(reason: "the call before it reaches another function")
        case .otherCall: .impossible(reason: "the library makes another system call at that place")
        case .none, .indirect, .otherImage, .changed: .unchecked
        }
    }

    /// `nil`: an image's page that was not written, or is the file's all the same. What a packed program unpacked is that image's.
    private func region(_ region: KernelEvent.Region, at address: UInt64) -> MemoryRegion? {
        if code.isImage { return nil }
        var backing = backing(region, at: address)
        switch (code.packedProgram, backing) {
        case (let path?, _): backing = .image(path: path)
        case (nil, .image), (nil, .kernel): return nil
        default: break
        }
        guard region.start < region.end else { return nil }
        return MemoryRegion(start: region.start, end: region.end, protection: region.protection, backing: backing)
    }

    private func backing(_ region: KernelEvent.Region, at address: UInt64) -> MemoryBacking {
        // The process may have changed its mappings since: what the kernel named is the file that it saw.
        let name = mappings.name(of: region.start) ?? (region.start == event.region.start ? event.regionFile?.path : nil)
        switch UInt32(region.backing) {
        case EPITOPE_BACKING_KERNEL.rawValue:
            return region.mayBeWritten && mappings.isInstructionWritten(endingAt: address)
                ? .writtenImagePage(path: name ?? "[vdso]") : .kernel
        case EPITOPE_BACKING_STACK.rawValue: return .stack
        case EPITOPE_BACKING_HEAP.rawValue: return .heap
        case EPITOPE_BACKING_WRITTEN_IMAGE.rawValue: return .writtenImagePage(path: name ?? "")
        case EPITOPE_BACKING_MEMORY_FILE.rawValue: return .memoryFile(name: name ?? "")
        case EPITOPE_BACKING_WRITTEN_FILE.rawValue: return .writtenFile(path: name ?? "")
        case EPITOPE_BACKING_IMAGE.rawValue:
            return region.mayBeWritten && mappings.isInstructionWritten(endingAt: address)
                ? .writtenImagePage(path: name ?? "") : .image(path: name ?? "")
        default: return .anonymous
        }
    }

    private var sendBuffer: SendBuffer? {
        event.call.family == .send && !event.sendBuffer.messages.isEmpty ? event.sendBuffer : nil
    }

    private var callersCode: [[UInt8]] {
        CallerCode.pieces(of: event.code.bytes, startingAt: event.code.start, callersAddress: event.callersAddress)
    }

    /// What is taken out of the process for a report.
    struct Extraction {
        var callersAddress: UInt64
        var region: MemoryRegion
        var code: ExtractedCode
    }

    /// The code at a verdict's caller: what the kernel copied before the call was answered.
    ///
    /// Of a return address in an image it copied the code there, for the case that the page was written. Where it wasn't, the caller is the
    /// library, whose code is read from the process. When that has ended, what was copied stands for it.
    ///
    /// - Parameter amounts: how much of it is reported; the kernel program copies the most that there can be.
    func extraction(_ verdict: Verdict, _ amounts: ExtractionAmounts) -> Extraction {
        let copied = ExtractedCode(base: event.code.start, bytes: event.code.bytes, isWholeRegion: false)
        if copied.offset(of: verdict.callersAddress) == nil, [.impossible, .unchecked].contains(event.finding) {
            if let read = codeInMemory(verdict, amounts) {
                return Extraction(callersAddress: verdict.callersAddress, region: verdict.region, code: read)
            }
            if copied.offset(of: event.deeperAddress) != nil {
                return Extraction(
                    callersAddress: event.deeperAddress, region: returnRegion,
                    code: part(copied, returnRegion, event.deeperAddress, amounts))
            }
        }
        return Extraction(
            callersAddress: verdict.callersAddress, region: verdict.region,
            code: part(copied, verdict.region, verdict.callersAddress, amounts))
    }

    private func part(
        _ copied: ExtractedCode, _ region: MemoryRegion, _ callersAddress: UInt64, _ amounts: ExtractionAmounts
    ) -> ExtractedCode {
        var code = copied
        code.isWholeRegion = code.base == region.start && UInt64(code.bytes.count) == region.end - region.start
        return ExtractionRange(of: region, callersAddress: callersAddress, amounts: amounts)?.part(of: code, callersAddress: callersAddress)
            ?? code
    }

    private func codeInMemory(_ verdict: Verdict, _ amounts: ExtractionAmounts) -> ExtractedCode? {
        guard let process = mappings.processID,
            let range = ExtractionRange(of: verdict.region, callersAddress: verdict.callersAddress, amounts: amounts),
            let file = try? FileDescriptor("/proc/\(process)/mem", O_RDONLY), let bytes = FileBytes(file).read(range.start, range.count),
            event.isProgramRunning
        else { return nil }
        return range.code(read: bytes)
    }

    /// The call's arguments, as far as the kernel copied them.
    var arguments: CallArguments {
        var result = event.socket
        let address = SocketAddress.endpoint(event.address)
        switch event.call {
        case .execve, .execveat:
            return CallArguments(path: event.path.isEmpty ? nil : event.path)
        case .bind: result.local = address ?? result.local
        default: result.peer = address ?? result.peer
        }
        if event.call.family == .send, event.payloadLength > 0 { result.payloadLength = event.payloadLength }
        return result
    }
}
