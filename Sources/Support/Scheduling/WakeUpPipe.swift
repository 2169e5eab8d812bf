// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Wakes a service of another process: a named pipe in a folder of the service's own. It carries no content: who is woken looks at
/// its work, and who rings and finds nobody has lost nothing, since a service looks at its work when it starts.
public final class WakeUpPipe: Sendable {
    private let descriptor: Int32
    private let isOver = Atomic(false)

    /// Listens, for as long as this value is there; whatever is wrong with the path, rings are then not heard.
    ///
    /// - Parameters:
    ///   - path: of the pipe, which is made with mode 0600 where there is none.
    ///   - onRing: called on a thread of its own, once for all rings that came at the same time.
    public init(path: String, onRing: @escaping @Sendable () -> Void) {
        _ = mkfifo(path, 0o600)
        // Open for writing, too: the end of one that rings is then no end of the pipe.
        let opened = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
        guard opened >= 0, Self.isPipe(opened) else {
            if opened >= 0 { close(opened) }
            descriptor = -1
            return
        }
        descriptor = opened
        // Without a thread nobody listens.
        try? DedicatedThread.start { [weak self] in
            while Self.hear(opened) {
                guard let self, !self.isOver.load(ordering: .acquiring) else { break }
                onRing()
            }
            close(opened)
        }
    }

    deinit {
        isOver.store(true, ordering: .releasing)
        if descriptor >= 0 { Self.write(descriptor) }
    }

    /// Rings.
    ///
    /// - Returns: whether a service listens.
    @discardableResult
    public static func ring(path: String) -> Bool {
        // Fails where nobody reads.
        let pipe = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
        guard pipe >= 0 else { return false }
        defer { close(pipe) }
        guard isPipe(pipe) else { return false }
        write(pipe)
        return true
    }

    private static func isPipe(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }

    /// Waits for a ring, and takes all that came.
    private static func hear(_ pipe: Int32) -> Bool {
        var poller = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
        while poll(&poller, 1, -1) < 0 {
            guard errno == EINTR else { return false }
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        while read(pipe, &bytes, bytes.count) == bytes.count {}
        return true
    }

    /// A pipe that is full will wake the service as it is.
    private static func write(_ pipe: Int32) {
        var byte: UInt8 = 1
        _ = Glibc.write(pipe, &byte, 1)
    }
}
