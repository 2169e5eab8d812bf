// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What was observed of a process while its critical call was stalled: the input of the verdict.
public struct Observation: Hashable, Sendable {
    /// A return address: the address right after a call instruction, with the memory it lies in.
    public struct ReturnAddress: Hashable, Sendable {
        public var address: UInt64
        public var region: MemoryRegion

        public init(address: UInt64, region: MemoryRegion) {
            self.address = address
            self.region = region
        }
    }

    public var architecture: Architecture
    public var call: CriticalCall
    /// The address right after the instruction that entered the kernel.
    public var instructionPointer: UInt64
    /// The memory that ``instructionPointer`` lies in.
    public var region: MemoryRegion
    /// The return addresses outside of the library that entered the kernel, from the innermost outwards. For an
    /// exec-like call in a child that borrows its parent's memory, the parent's follow the child's.
    public var returnAddresses: [ReturnAddress]
    /// What a send-like call was about to send; `nil` for other calls, and where the verdict doesn't need it.
    public var sendBuffer: SendBuffer?
    /// The pieces of the caller's code to look for in the send buffer (``CallerCode``).
    public var callersCode: [[UInt8]]

    public init(
        architecture: Architecture, call: CriticalCall, instructionPointer: UInt64, region: MemoryRegion,
        returnAddresses: [ReturnAddress] = [], sendBuffer: SendBuffer? = nil, callersCode: [[UInt8]] = []
    ) {
        self.architecture = architecture
        self.call = call
        self.instructionPointer = instructionPointer
        self.region = region
        self.returnAddresses = returnAddresses
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
