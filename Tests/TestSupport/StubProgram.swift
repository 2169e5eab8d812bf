import EpitopeModel
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

/// Where a command's output goes: a file without a name, so that nothing has to be read while it runs.
public final class Output: Sendable {
    public let descriptor: Int32

    public init() {
        var path = Array("/tmp/epitope-output-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        unlink(path)
    }

    public var text: String {
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    deinit { close(descriptor) }
}

public enum Fixtures {
    /// The fixtures are linked with Swift's runtime, which would catch their signals.
    public static let environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=no"]

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
