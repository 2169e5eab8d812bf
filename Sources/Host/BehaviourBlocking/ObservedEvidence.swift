// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension Observation {
    /// All the evidence in the observation, the strongest first.
    ///
    /// - Parameter weight: the points of a kind.
    func evidence(byWeight weight: (EvidenceKind) -> Int) -> [Evidence] {
        let found = [callerEvidence, sendsItselfEvidence, packedEvidence, returnEvidence, deeperEvidence, deletedEvidence].compactMap { $0 }
        // Stable: of two kinds of the same weight, the one that says where the call came from stands first.
        return found.sorted { weight($0.kind) > weight($1.kind) }
    }

    private var isDirectCall: Bool { region.backing.isUnbacked }

    /// The caller is in unbacked memory.
    private var callerEvidence: Evidence? {
        guard let caller = unbackedCaller else { return nil }
        let manner = isDirectCall ? "made the call" : "called the library that made the call"
        let kind: EvidenceKind =
            switch caller.region.backing {
            case .memoryFile: .memoryFile
            case .writtenImagePage: .writtenImagePage
            case .writtenFile: .writtenFile
            case .anonymous, .stack, .heap, .image, .kernel: isDirectCall ? .directCall : .libraryCall
            }
        let difference = pageDifference.map { " (\($0))" } ?? ""
        return Evidence(kind: kind, detail: "\(caller.place)\(difference) \(manner)")
    }

    /// The caller is the code of a program that unpacked itself.
    private var packedEvidence: Evidence? {
        guard unbackedCaller == nil, let packedProgram else { return nil }
        return Evidence(kind: .packedProgram, detail: "\(packedProgram) is packed: code that it unpacked at its start made the call")
    }

    /// The caller sends its own code.
    private var sendsItselfEvidence: Evidence? {
        guard let caller = unbackedCaller, call.family == .send, let buffer = sendBuffer else { return nil }
        if buffer.contains(callersAddress: caller.address) {
            return Evidence(kind: .sendsItself, detail: "the caller lies in the send buffer")
        }
        guard let code = callersCode.first(where: { buffer.contains(code: $0) }) else { return nil }
        return Evidence(kind: .sendsItself, detail: "\(code.count) bytes at the caller are copied in the send buffer")
    }

    /// A return address in an image that the call before it can't have made, or that can't be checked.
    private var returnEvidence: Evidence? {
        guard unbackedCaller == nil else { return nil }
        for found in returnAddresses {
            guard case .impossible(let reason) = found.check else { continue }
            let problem = found.address == instructionPointer ? "made the call, but" : "can't be a return address:"
            return Evidence(kind: .impossibleReturn, detail: "\(found.place) \(problem) \(reason)")
        }
        guard hasUnbackedCode, let innermost = returnAddresses.first, innermost.check == .unchecked else { return nil }
        let problem =
            innermost.region.backing == .kernel
            ? "stands for the return address, which a return probe hides" : "follows a call that can't be checked"
        return Evidence(kind: .uncheckedReturn, detail: "\(innermost.place) \(problem)")
    }

    /// A file that runs was deleted.
    private var deletedEvidence: Evidence? {
        deletedFile.map { Evidence(kind: .deletedFile, detail: "\($0) was deleted, and runs") }
    }

    /// A return address beyond the caller is in unbacked memory.
    private var deeperEvidence: Evidence? {
        let callerIsReturnAddress = unbackedCaller != nil && !isDirectCall
        let outer = returnAddresses.dropFirst(callerIsReturnAddress ? 1 : 0)
        guard let deeper = outer.first(where: { $0.region.backing.isUnbacked }) else { return nil }
        return Evidence(kind: .deeperInStack, detail: "\(deeper.place) is a return address further up the stack")
    }
}

extension Observation.ReturnAddress {
    /// The address and its memory, for a person.
    fileprivate var place: String {
        let memory =
            switch region.backing {
            case .anonymous: "anonymous memory"
            case .stack: "the stack"
            case .heap: "the heap"
            case .memoryFile(let name): "the memory file \(name)"
            case .writtenImagePage(let path): "a written page of \(path)"
            case .writtenFile(let path): "\(path), a file that can be changed while it runs"
            case .image(let path): path
            case .kernel: "the kernel's page"
            }
        return "0x\(String(address, radix: 16)) in \(memory) (\(region.protection))"
    }
}
