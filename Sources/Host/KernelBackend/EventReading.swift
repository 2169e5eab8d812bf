// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel
import ProcessInspection

/// Makes of an event what was seen, and what is to be reported of it.
struct EventReading {
    let event: KernelEvent
    /// What the process's own files say of a mapping, while they can be had.
    let mappings: ProcessMappings

    /// What was seen; `nil` where it turns out to be no evidence: a page of an image that was not written.
    func observation() -> Observation? {
        let architecture: Architecture = event.isNarrowCode ? .x86_32 : .x86_64
        switch event.finding {
        case .direct:
            guard let region = region(event.region, at: event.callersAddress) else { return nil }
            return Observation(
                architecture: architecture, call: event.call, instructionPointer: event.callersAddress, region: region,
                sendBuffer: sendBuffer, callersCode: callersCode)
        case .library:
            guard let caller = region(event.region, at: event.callersAddress) else { return nil }
            return Observation(
                architecture: architecture, call: event.call, instructionPointer: event.instructionPointer, region: library,
                returnAddresses: [.init(address: event.callersAddress, region: caller)], sendBuffer: sendBuffer,
                callersCode: callersCode)
        case .deeper:
            guard let deeper = region(event.region, at: event.deeperAddress) else { return nil }
            // The library's caller is an image, of which no more is told: the library stands for it.
            return Observation(
                architecture: architecture, call: event.call, instructionPointer: event.instructionPointer, region: library,
                returnAddresses: [
                    .init(address: event.instructionPointer, region: library), .init(address: event.deeperAddress, region: deeper),
                ])
        case .unattributable, .uninspectable, .program:
            return nil
        }
    }

    /// What the instruction that entered the kernel lies in.
    private var library: MemoryRegion {
        MemoryRegion(
            start: event.library.start, end: max(event.library.end, event.library.start + 1),
            protection: event.library.protection, backing: backing(event.library, at: event.instructionPointer))
    }

    /// `nil`: the image's page is as its file has it.
    private func region(_ region: KernelEvent.Region, at address: UInt64) -> MemoryRegion? {
        let backing = backing(region, at: address)
        switch backing {
        case .image, .kernel: return nil
        default: break
        }
        guard region.start < region.end else { return nil }
        return MemoryRegion(start: region.start, end: region.end, protection: region.protection, backing: backing)
    }

    private func backing(_ region: KernelEvent.Region, at address: UInt64) -> MemoryBacking {
        let name = mappings.name(of: region.start)
        switch UInt32(region.backing) {
        case EPITOPE_BACKING_KERNEL.rawValue:
            return region.mayBeWritten && isWritten(at: address) ? .writtenImagePage(path: name ?? "[vdso]") : .kernel
        case EPITOPE_BACKING_STACK.rawValue: return .stack
        case EPITOPE_BACKING_HEAP.rawValue: return .heap
        case EPITOPE_BACKING_WRITTEN_IMAGE.rawValue: return .writtenImagePage(path: name ?? "")
        case EPITOPE_BACKING_MEMORY_FILE.rawValue: return .memoryFile(name: name ?? "")
        case EPITOPE_BACKING_IMAGE.rawValue:
            return region.mayBeWritten && isWritten(at: address) ? .writtenImagePage(path: name ?? "") : .image(path: name ?? "")
        default: return .anonymous
        }
    }

    /// Both pages, where the instruction lies across two.
    private func isWritten(at address: UInt64) -> Bool {
        mappings.isWritten(address - 1) || (address & 0xFFF == 1 && mappings.isWritten(address - 2))
    }

    private var sendBuffer: SendBuffer? {
        event.call.family == .send && !event.sendBuffer.messages.isEmpty ? event.sendBuffer : nil
    }

    /// The 32 bytes that end at the caller's address, and the 32 around it, down to 16 where the region begins later.
    private var callersCode: [[UInt8]] {
        let bytes = event.code.bytes
        guard event.callersAddress >= event.code.start else { return [] }
        let offset = Int(event.callersAddress - event.code.start)
        guard offset <= bytes.count else { return [] }
        let ending = Array(bytes[max(0, offset - 32)..<offset])
        let around = Array(bytes[max(0, offset - 16)..<min(bytes.count, offset + 16)])
        return [ending, around].filter { $0.count >= 16 }
    }

    /// What was cut out in the kernel, before the call was answered.
    var extractedCode: ExtractedCode {
        let region = event.finding == .deeper ? event.library : event.region
        return ExtractedCode(
            base: event.code.start, bytes: event.code.bytes,
            isWholeRegion: event.code.start == region.start && UInt64(event.code.bytes.count) == region.end - region.start)
    }

    /// The call's arguments as far as they were copied.
    var arguments: CallArguments {
        var result = event.socket
        let named = SocketAddress.endpoint(event.address)
        switch event.call {
        case .execve, .execveat:
            return CallArguments(path: event.path.isEmpty ? nil : event.path)
        case .bind: result.local = named ?? result.local
        default: result.peer = named ?? result.peer
        }
        if event.call.family == .send, event.payloadLength > 0 { result.payloadLength = event.payloadLength }
        return result
    }
}
