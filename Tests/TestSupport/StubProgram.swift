public import EpitopeModel
import Glibc

/// What the stub program says should be found, and what its call returned.
public struct Announcement {
    public var callersAddress: UInt64?
    public var base: UInt64?
    public var code: [UInt8] = []
    public var result: Int64?
    public var errno: Int32?

    public init(_ output: String) {
        let words = output.split { $0 == " " || $0 == "\n" }
        for (key, value) in zip(words, words.dropFirst()) {
            switch key {
            case "expected": callersAddress = UInt64(value.dropFirst(2), radix: 16)
            case "base": base = UInt64(value.dropFirst(2), radix: 16)
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

    public var form: String
    public var place: String
    public var call: String

    public init(form: String, place: String, call: String) {
        self.form = form
        self.place = place
        self.call = call
    }

    public var description: String { "\(form) \(call) from \(place)" }

    /// Every form from every place.
    public static func all(places: [String] = Self.places, calls: [String] = Self.calls) -> [StubCase] {
        forms.flatMap { form in places.flatMap { place in calls.map { StubCase(form: form, place: place, call: $0) } } }
    }

    public var isMemoryFile: Bool { place == "memory-file" || place == "unlinked-tmpfs" }
    public var isWrittenPage: Bool { place.hasPrefix("written-") }
    public var kind: EvidenceKind {
        if isMemoryFile { return .memoryFile }
        if isWrittenPage { return .writtenImagePage }
        return form == "direct" ? .directCall : .libraryCall
    }
    public var critical: CriticalCall {
        switch call {
        case "exec": .execve
        case "send": .sendto
        case "accept": .accept4
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
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(package)/.build/debug/\(name)"
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
