// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What was observed of a process while its critical call was stalled: the input of the verdict.
public struct Observation: Hashable, Sendable {
    /// What the instruction before a return address says of it. Asked only of addresses in images: an address in unbacked
    /// executable memory is evidence whatever stands before it.
    public enum CallCheck: Hashable, Sendable {
        /// The call before it can have made it, or nothing was asked.
        case possible
        /// A call through a register or through memory that can't be checked.
        case unchecked
        /// The call before it can't have made it; why, for a person.
        case impossible(reason: String)
    }

    /// Where a library returns to, with the memory it lies in.
    public struct ReturnAddress: Hashable, Sendable {
        public var address: UInt64
        public var region: MemoryRegion
        public var check: CallCheck

        public init(address: UInt64, region: MemoryRegion, check: CallCheck = .possible) {
            self.address = address
            self.region = region
            self.check = check
        }
    }

    public var architecture: Architecture
    public var call: CriticalCall
    /// The application that judges the call.
    public var application: BlockingApplication?
    /// The address right after the instruction that entered the kernel.
    public var instructionPointer: UInt64
    /// The memory that ``instructionPointer`` lies in.
    public var region: MemoryRegion
    /// The return addresses outside of the library that entered the kernel, from the innermost outwards. For an
    /// exec-like call in a child that borrows its parent's memory, the parent's follow the child's.
    public var returnAddresses: [ReturnAddress]
    /// Whether the process has unbacked executable memory: only then is a return address that can't be checked evidence.
    public var hasUnbackedCode: Bool
    /// The executable file that unpacked the code which made the call, or which called the library that made it: a packed
    /// program's own code, which its regions show as that file's image.
    public var packedProgram: String?
    /// A file that runs in the process and was deleted, its program or the image that made the call, where no upgrade explains that.
    public var deletedFile: String?
    /// How the caller's page differs from its file, for a person; `nil` unless the caller is in a written page of an image.
    public var pageDifference: String?
    /// What a send-like call was about to send; `nil` for other calls, and where the verdict doesn't need it.
    public var sendBuffer: SendBuffer?
    /// The pieces of the caller's code to look for in the send buffer (``CallerCode``).
    public var callersCode: [[UInt8]]

    public init(
        architecture: Architecture, call: CriticalCall, instructionPointer: UInt64, region: MemoryRegion,
        returnAddresses: [ReturnAddress] = [], hasUnbackedCode: Bool = false, packedProgram: String? = nil, deletedFile: String? = nil,
        pageDifference: String? = nil, sendBuffer: SendBuffer? = nil, callersCode: [[UInt8]] = []
    ) {
        self.architecture = architecture
        self.call = call
        application = call.application
        self.instructionPointer = instructionPointer
        self.region = region
        self.returnAddresses = returnAddresses
        self.hasUnbackedCode = hasUnbackedCode
        self.packedProgram = packedProgram
        self.deletedFile = deletedFile
        self.pageDifference = pageDifference
        self.sendBuffer = sendBuffer
        self.callersCode = callersCode
    }

    /// The caller, if it is in unbacked memory: the instruction that entered the kernel, else the code that the library
    /// returns to. Unbacked memory further up the stack doesn't count as the caller: an interpreter's or a just-in-time
    /// compiler's native interface is in between.
    public var unbackedCaller: ReturnAddress? {
        if region.backing.isUnbacked { return ReturnAddress(address: instructionPointer, region: region) }
        guard let innermost = returnAddresses.first, innermost.region.backing.isUnbacked else { return nil }
        return innermost
    }
}
