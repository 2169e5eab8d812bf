// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// An event of the kernel program, decoded.
struct KernelEvent: Sendable {
    var processID: Int32
    var threadID: Int32
    /// When the process started, in nanoseconds since boot.
    var startTime: UInt64
    var time: UInt64
    var interface: SystemCallInterface
    var is32BitCode: Bool
    var call: CriticalCall
    /// The application that judged it; of a ring's requests, that of sends.
    var application: BlockingApplication
    /// A ring's requests may connect, too.
    var isOfRing: Bool
    var finding: Finding
    var answer: Answer
    var instructionPointer: UInt64
    var stackPointer: UInt64
    var callersAddress: UInt64
    /// The return address that ``Finding/deeper``, ``Finding/impossible`` or ``Finding/unchecked`` is about; ``region`` is its
    /// mapping.
    var deeperAddress: UInt64
    var region: Region
    var library: Region
    /// The program that the process ran.
    var program: RunningProgram
    /// Where ``region`` starts in its file.
    var regionOffset: UInt64
    /// The path of ``region``'s file, and when that changed last by then; `nil` where it isn't known, or wasn't looked for: only of an image
    /// whose page may have been written.
    var regionFile: (path: String, file: FileAtCall)?
    /// The executable unbacked memory that the caller's stack points to, as one range: empty where there is none, everything where one
    /// mapping is not like the caller's. `nil`: not looked for.
    var stackCode: Range<UInt64>?
    /// Of ``Finding/question``.
    var question: epitope_question
    var defect: Defect
    var arguments: [UInt64]
    var address: [UInt8]
    var socket: CallArguments
    var path: String
    var code: (start: UInt64, bytes: [UInt8])
    /// The data to be sent, as far as it was copied, and its whole length.
    var sendBuffer: SendBuffer
    var payloadLength: UInt64
    var command: String
    /// The kinds of evidence that don't count for the process.
    var excluded: Set<EvidenceKind>
    /// Why the process's calls are inspected.
    var markedFor: [MarkReason]
    /// Seen by a security hook, which has denied the call unless it passed; else at a tracepoint.
    var isOfHook: Bool
    /// The call was reported before: its code is to be overwritten again, and nothing was copied.
    var isRepetition: Bool

    enum Finding: UInt32, Sendable {
        case direct = 1
        case library
        case deeper
        case unattributable
        case uninspectable
        /// Not a call: a program started whose image is the memory file of ``KernelEvent/region``.
        case program
        /// The library returns to an address in an image that the call before it can't have left there.
        case impossible
        /// The call before that address can't be checked.
        case unchecked
        /// Not a call yet: it is held until ``KernelEvent/question`` is answered.
        case question
    }

    /// Why a return address is impossible, or can't be checked.
    enum Defect: UInt32, Sendable {
        case none
        case noCode
        case noCall
        case otherFunction
        case otherCall
        case indirect
        case otherImage
        case changed
    }

    enum Answer: UInt32, Sendable {
        case passed
        case denied
        case stopped
        case killed
        case held
    }

    struct Region: Hashable, Sendable {
        var start: UInt64
        var end: UInt64
        var protection: MemoryProtection
        var backing: UInt8
        /// A page of this private mapping of an image was written.
        var mayBeWritten: Bool
        var file: KernelFile
        /// What a packed program unpacked, as ``CodeOrigins`` said of it.
        var isUnpacked: Bool
        /// ``CodeOrigins`` has said what the caller's code is, before the call was judged.
        var isAnswered: Bool
    }

    init?(_ pointer: UnsafePointer<epitope_event>) {
        let event = pointer.pointee
        guard let finding = Finding(rawValue: event.finding), let answer = Answer(rawValue: event.answer) else { return nil }
        self.finding = finding
        self.answer = answer
        interface = event.is_32bit_call == 0 ? .x86_64 : .i386
        // A hook may be reached through a system call that isn't critical: then the hook's class gives the family.
        call =
            SyscallClassTable.criticalCall(interface, number: event.call_number, subcall: event.subcall)
            ?? Self.call(ofClass: event.call_class)
        application = Self.application(ofClass: event.call_class)
        isOfRing = event.call_class == EPITOPE_CLASS_IO_URING.rawValue
        processID = Int32(bitPattern: event.process)
        threadID = Int32(bitPattern: event.thread)
        startTime = event.start_time
        time = event.time
        is32BitCode = event.is_32bit_code != 0
        instructionPointer = event.instruction_pointer
        stackPointer = event.stack_pointer
        callersAddress = event.callers_address
        deeperAddress = event.deeper_address
        region = Region(event.region)
        library = Region(event.library)
        program = withUnsafeBytes(of: event.program_path) { RunningProgram(event.program, path: $0) }
        regionOffset = event.region_file.offset
        regionFile = Self.regionFile(event, region, program)
        let code = event.stack_code
        stackCode = code.is_searched != 0 && code.start <= code.end ? code.start..<code.end : nil
        question = event.question
        defect = Defect(rawValue: event.defect) ?? .none
        arguments = withUnsafeBytes(of: event.arguments) { Array($0.bindMemory(to: UInt64.self)) }
        address = withUnsafeBytes(of: event.address) { Array($0.prefix(Int(event.address_length))) }
        socket = CallArguments(event.socket)
        path = Self.text(event.path)
        command = Self.text(event.command)
        excluded = epitope_policy.kinds(of: event.excluded)
        markedFor = MarkReason.reasons(of: event.marked_for)
        isOfHook = event.is_hook != 0
        let isRepetition = event.is_repeated != 0
        self.isRepetition = isRepetition
        let length = isRepetition ? 0 : min(Int(event.code_length), Int(EPITOPE_CODE_BYTES))
        self.code = (event.code_start, Array(UnsafeBufferPointer(start: epitope_event_code(pointer), count: length)))
        let payload = UnsafeBufferPointer(start: epitope_event_payload(pointer), count: Int(EPITOPE_PAYLOAD_BYTES))
        let pieces = withUnsafeBytes(of: event.pieces) {
            Array($0.bindMemory(to: epitope_piece.self).prefix(isRepetition ? 0 : Int(event.piece_count)))
        }
        sendBuffer = SendBuffer(pieces, payload: payload)
        payloadLength = event.payload_length
    }

    /// The code that the kernel copied, by address.
    var copiedCode: FileBytes {
        let code = FileBytes(self.code.bytes)
        return FileBytes { [start = self.code.start] address, count in address < start ? nil : code.read(address - start, count) }
    }

    /// Whether the process runs the program still that made the call. If so, what was read of the process before is of this program.
    var isProgramRunning: Bool { program.isStillRun(by: threadID) || program.isStillRun(by: processID) }

    private static func regionFile(
        _ event: epitope_event, _ region: Region, _ program: RunningProgram
    ) -> (path: String, file: FileAtCall)? {
        if let path = program.path, let file = program.file, (file.id.inode, file.id.device) == (region.file.inode, region.file.device) {
            return (path, file)
        }
        let state = event.region_file
        let changed = FileIdentity.Time(seconds: state.changed_seconds, nanoseconds: Int64(state.changed_nanoseconds))
        let path = withUnsafeBytes(of: event.region_path) { FileAtCall.path($0, length: state.path_length) }
        return path.map { ($0, FileAtCall(id: region.file, changed: changed)) }
    }

    private static func call(ofClass value: UInt32) -> CriticalCall {
        switch value {
        case EPITOPE_CLASS_EXEC.rawValue: .execve
        case EPITOPE_CLASS_CONNECT.rawValue: .connect
        case EPITOPE_CLASS_SERVE.rawValue: .bind
        default: .sendmsg
        }
    }

    private static func application(ofClass value: UInt32) -> BlockingApplication {
        switch value {
        case EPITOPE_CLASS_EXEC.rawValue: .exec
        case EPITOPE_CLASS_CONNECT.rawValue: .connect
        case EPITOPE_CLASS_SERVE.rawValue: .listen
        default: .send
        }
    }

    private static func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// Identifies a mapped file. No other memory file has had, or will have, all three.
struct KernelFile: Hashable, Sendable {
    var inode: UInt64
    /// major << 20 | minor
    var device: UInt32
    /// 0 except for memory files.
    var generation: UInt32
}

extension SendBuffer {
    /// The pieces of an event by message, with the copied bytes of each.
    init(_ pieces: some Sequence<epitope_piece>, payload: UnsafeBufferPointer<UInt8>) {
        var messages: [[Piece]] = []
        var last: UInt32?
        for piece in pieces {
            let start = min(Int(piece.payload_offset), payload.count)
            let bytes = Array(payload[start..<min(payload.count, start + Int(piece.copied_length))])
            if piece.message != last { messages.append([]) }
            last = piece.message
            messages[messages.count - 1].append(Piece(address: piece.address, length: piece.length, bytes: bytes))
        }
        self.init(messages: messages)
    }
}

extension CallArguments {
    /// Transport and both endpoints of a socket as the kernel has them; all absent if it isn't an IP socket.
    fileprivate init(_ state: epitope_socket_state) {
        self.init()
        let length = state.family == UInt16(AF_INET) ? 4 : 16
        guard state.family == UInt16(AF_INET) || state.family == UInt16(AF_INET6) else {
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
        isUnpacked = region.is_unpacked != 0
        isAnswered = UInt32(region.answer) == EPITOPE_CODE_ANSWERED.rawValue
    }
}
