// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel
import ProcessInspection

/// An event of the kernel program as values.
struct KernelEvent: Sendable {
    var processID: Int32
    var threadID: Int32
    /// When the process began, in nanoseconds since the machine did.
    var startTime: UInt64
    var time: UInt64
    var interface: SystemCallInterface
    var isNarrowCode: Bool
    var call: CriticalCall
    var finding: Finding
    var answer: Answer
    var instructionPointer: UInt64
    var callersAddress: UInt64
    /// The return address in unbacked memory, of ``Finding/deeper``; ``region`` is its mapping.
    var deeperAddress: UInt64
    var region: Region
    var library: Region
    var arguments: [UInt64]
    var address: [UInt8]
    var socket: CallArguments
    var path: String
    var code: (start: UInt64, bytes: [UInt8])
    /// What was to be sent, as far as it was copied; and how long it is.
    var sendBuffer: SendBuffer
    var payloadLength: UInt64
    var command: String
    /// The kinds of evidence that don't count for the process.
    var excluded: Set<EvidenceKind>

    enum Finding: UInt32, Sendable {
        case direct = 1
        case library
        case deeper
        case unattributable
        case uninspectable
        /// No call: a program began whose image is the memory file of ``KernelEvent/region``.
        case program
    }

    enum Answer: UInt32, Sendable {
        case passed
        case denied
        case stopped
        case killed
    }

    struct Region: Hashable, Sendable {
        var start: UInt64
        var end: UInt64
        var protection: MemoryProtection
        var backing: UInt8
        /// Some page of this private mapping of an image was written.
        var mayBeWritten: Bool
        var file: KernelFile
    }

    init?(_ pointer: UnsafePointer<epitope_event>) {
        let event = pointer.pointee
        guard let finding = Finding(rawValue: event.finding), let answer = Answer(rawValue: event.answer) else { return nil }
        self.finding = finding
        self.answer = answer
        interface = event.is_narrow == 0 ? .x86_64 : .i386
        // A hook's call may have come through a call that is none of the critical ones: the hook tells its family.
        call =
            SyscallClassTable.criticalCall(interface, number: event.call_number, subcall: event.subcall)
            ?? Self.call(ofClass: event.call_class)
        processID = Int32(bitPattern: event.process)
        threadID = Int32(bitPattern: event.thread)
        startTime = event.start_time
        time = event.time
        isNarrowCode = event.is_narrow_code != 0
        instructionPointer = event.instruction_pointer
        callersAddress = event.callers_address
        deeperAddress = event.deeper_address
        region = Region(event.region)
        library = Region(event.library)
        arguments = withUnsafeBytes(of: event.arguments) { Array($0.bindMemory(to: UInt64.self)) }
        address = withUnsafeBytes(of: event.address) { Array($0.prefix(Int(event.address_length))) }
        socket = CallArguments(event.socket)
        path = Self.text(event.path)
        command = Self.text(event.command)
        excluded = epitope_policy.kinds(of: event.excluded)
        let length = min(Int(event.code_length), Int(EPITOPE_CODE_BYTES))
        code = (event.code_start, Array(UnsafeBufferPointer(start: epitope_event_code(pointer), count: length)))
        let payload = UnsafeBufferPointer(start: epitope_event_payload(pointer), count: Int(EPITOPE_PAYLOAD_BYTES))
        let pieces = withUnsafeBytes(of: event.pieces) { Array($0.bindMemory(to: epitope_piece.self).prefix(Int(event.piece_count))) }
        sendBuffer = SendBuffer(pieces, payload: payload)
        payloadLength = event.payload_length
    }

    private static func call(ofClass value: UInt32) -> CriticalCall {
        switch value {
        case EPITOPE_CLASS_EXEC.rawValue: .execve
        case EPITOPE_CLASS_CONNECT.rawValue: .connect
        case EPITOPE_CLASS_SERVE.rawValue: .bind
        default: .sendmsg
        }
    }

    private static func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// A mapped file as the kernel program names it. Of a memory file no other has, or will have, all three.
struct KernelFile: Hashable, Sendable {
    var inode: UInt64
    /// major << 20 | minor
    var device: UInt32
    /// 0 but for memory files.
    var generation: UInt32
}

extension SendBuffer {
    /// The pieces of an event by their message, with what was copied of each.
    init(_ pieces: some Sequence<epitope_piece>, payload: UnsafeBufferPointer<UInt8>) {
        var messages: [[Piece]] = []
        var last: UInt32?
        for piece in pieces {
            let start = min(Int(piece.place), payload.count)
            let bytes = Array(payload[start..<min(payload.count, start + Int(piece.copied))])
            if piece.message != last { messages.append([]) }
            last = piece.message
            messages[messages.count - 1].append(Piece(address: piece.address, length: piece.length, bytes: bytes))
        }
        self.init(messages: messages)
    }
}

extension CallArguments {
    /// Transport, own and remote side of a socket as the kernel has them; all absent where it is none of IP's.
    fileprivate init(_ state: epitope_socket_state) {
        self.init()
        let length = state.family == 2 ? 4 : 16
        guard state.family == 2 || state.family == 10 else {
            if state.type != 0 { transport = .other }
            return
        }
        transport = SocketFacts.transport(domain: Int32(state.family), type: Int32(state.type))
        func endpoint<Bytes>(_ bytes: Bytes, _ port: UInt16) -> SocketEndpoint? {
            let octets = withUnsafeBytes(of: bytes) { Array($0.prefix(length)) }
            guard port != 0 || octets.contains(where: { $0 != 0 }) else { return nil }
            return SocketAddress.endpoint(address: octets, port: port)
        }
        local = endpoint(state.local, state.local_port)
        peer = endpoint(state.peer, state.peer_port)
    }
}

extension KernelEvent.Region {
    init(_ region: epitope_region) {
        start = region.start
        end = region.end
        protection = MemoryProtection(rawValue: region.protection)
        backing = region.backing
        mayBeWritten = region.may_be_written != 0
        file = KernelFile(inode: region.inode, device: region.device, generation: region.generation)
    }
}
