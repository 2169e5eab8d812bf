// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc

/// What the stub program says should be found, and what its call returned.
public struct Announcement {
    public var callersAddress: UInt64?
    public var base: UInt64?
    /// Of the process that makes the call: it may be a child of the one that was started.
    public var processID: Int32?
    public var code: [UInt8] = []
    public var result: Int64?
    public var errno: Int32?

    public init(_ output: String) {
        let words = output.split { $0 == " " || $0 == "\n" }
        for (key, value) in zip(words, words.dropFirst()) {
            switch key {
            case "expected": callersAddress = UInt64(value.dropFirst(2), radix: 16)
            case "base": base = UInt64(value.dropFirst(2), radix: 16)
            case "process": processID = Int32(value)
            case "code": code = Hex.decode(value) ?? []
            case "result": result = Int64(value)
            case "errno": errno = Int32(value)
            default: break
            }
        }
    }
}

/// A call of the stub program: how it is made, where its code lies, which call it is; and what is to be held of it.
public struct StubCase: Sendable, CustomStringConvertible {
    public static let forms = ["direct", "library"]
    public static let places = ["heap", "stack", "anonymous", "shared-anonymous", "memory-file", "unlinked-tmpfs", "written-page"]
    public static let calls = ["exec", "connect", "send", "sendmsg", "sendmmsg", "bind", "listen", "accept"]

    /// Memory that is come by in a way that is easily overlooked, or that changes what it is afterwards.
    public static let rarePlaces = [
        "pkey", "segment", "implied", "implied-heap", "device", "written-by-child", "late-unlink", "moved", "over-image", "over-vdso",
        "written-vdso", "filled", "remapped",
    ]
    /// Files on a disk that only seem to stand behind the code: the program writes them itself, or the parent that it was forked from.
    /// The last is what loaders make of a library that was unpacked: a file like another, reported only.
    public static let writtenFiles = [
        "never-named", "never-named-private", "shared-writable", "open-file", "raw-file", "parents-file", "unlinked-file",
        "open-library", "unpacked-library",
    ]
    /// Sends by other numbers than those of the socket calls.
    public static let writes = ["write", "writev", "pwritev2", "sendfile", "splice", "submit"]
    /// Sends and connects by io_uring: within the call, by a worker, after a timeout, by a thread that polls.
    public static let rings = ["ring", "ring-connect", "ring-aside", "ring-later", "ring-setup"]
    /// Functions of the library that start a program in a child; the last by a thread that runs nothing but the library.
    public static let starts = ["spawn", "system", "start"]
    /// Ways of being a process.
    public static let modes = ["thread", "orphan", "sharing-child", "vfork"]

    public var form: String
    public var place: String
    public var call: String
    public var mode: String?

    public init(form: String, place: String, call: String, mode: String? = nil) {
        self.form = form
        self.place = place
        self.call = call
        self.mode = mode
    }

    /// The program's child makes the call.
    public var isOfChild: Bool { place == "parents-file" }

    public var description: String { "\(form) \(call) from \(place)\(mode.map { " as \($0)" } ?? "")" }

    /// What the stub program is given.
    public func arguments(port: UInt16) -> [String] { [form, place, call, String(port)] + (mode.map { [$0] } ?? []) }

    /// Whether what arrives are datagrams, not connections.
    public var sendsDatagrams: Bool { call != "connect" && call != "ring-connect" }

    /// Every form from every place.
    public static func all(places: [String] = Self.places, calls: [String] = Self.calls) -> [StubCase] {
        forms.flatMap { form in places.flatMap { place in calls.map { StubCase(form: form, place: place, call: $0) } } }
    }

    public var isMemoryFile: Bool { ["memory-file", "unlinked-tmpfs", "late-unlink", "remapped", "unpacked-library"].contains(place) }
    public var isWrittenFile: Bool { Self.writtenFiles.contains(place) && !isMemoryFile }
    public var isWrittenPage: Bool { ["written-page", "written-by-device", "written-vdso", "filled"].contains(place) }
    public var kind: EvidenceKind {
        if isMemoryFile { return .memoryFile }
        if isWrittenFile { return .writtenFile }
        if isWrittenPage { return .writtenImagePage }
        return form == "library" ? .libraryCall : .directCall
    }
    public var critical: CriticalCall {
        switch call {
        case "exec": .execve
        case "send": .sendto
        case "accept": .accept4
        case "submit": .write
        case "pwritev2": .writev
        case _ where call.hasPrefix("ring"): .ioUringEnter
        case _ where call.hasPrefix("sendmsg"): .sendmsg
        case _ where call.hasPrefix("sendmmsg"): .sendmmsg
        default: CriticalCall(rawValue: call) ?? .execve
        }
    }
}

public enum Fixtures {
    /// The fixtures are linked with Swift's runtime, which would catch their signals.
    public static let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=no"]

    /// Runs a program of the fixtures to its end.
    public static func run(_ name: String, _ arguments: [String]) async throws -> Command {
        try await Command.run(path(name), arguments, environment: environment)
    }

    /// A program beside the test's own.
    public static func path(_ name: String) -> String {
        var room = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &room, room.count)
        let own = String(decoding: room.prefix(max(0, count)), as: UTF8.self)
        let folder = own.split(separator: "/").dropLast().joined(separator: "/")
        let beside = "/\(folder)/\(name)"
        if access(beside, X_OK) == 0 { return beside }
        // Run by a helper of the toolchain's: beside the package.
        return "\(PackageFolder.path)/.build/debug/\(name)"
    }
}

/// A socket on 127.0.0.1 that counts what reaches it.
public final class Receiver: Sendable {
    public let descriptor: Int32
    public let port: UInt16

    public init(datagrams: Bool) {
        let type = datagrams ? Int32(SOCK_DGRAM.rawValue) : Int32(SOCK_STREAM.rawValue)
        descriptor = socket(AF_INET, type | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = bind(descriptor, pointer, length)
                _ = getsockname(descriptor, pointer, &length)
            }
        }
        if !datagrams { listen(descriptor, 8) }
        port = UInt16(bigEndian: address.sin_port)
    }

    /// The number of datagrams, or connections, that came since the last look. Loopback delivers before the sender's
    /// call returns: no waiting.
    public func arrivals(datagrams: Bool) -> Int {
        var count = 0
        var room = [UInt8](repeating: 0, count: 65536)
        while true {
            if datagrams {
                guard recv(descriptor, &room, room.count, 0) >= 0 else { return count }
            } else {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return count }
                close(connection)
            }
            count += 1
        }
    }

    deinit { close(descriptor) }
}

/// A way of writing code into another process, and where it is written.
public struct InjectionCase: Sendable, CustomStringConvertible {
    public static let ways = [
        "other", "device", "device-relative", "device-beneath", "device-link", "device-seek", "device-pieces", "ring", "ring-fixed", "poke",
        "poke-seized", "poke-traced",
    ]

    public var way: String
    public var place: String
    public var description: String { "\(way) into \(place)" }

    /// An image's text can't be written by process_vm_writev.
    public static let all = ways.flatMap { way in
        (way == "other" ? ["page"] : ["page", "text"]).map { InjectionCase(way: way, place: $0) }
    }

    public var kind: EvidenceKind { place == "text" ? .writtenImagePage : .directCall }
}
