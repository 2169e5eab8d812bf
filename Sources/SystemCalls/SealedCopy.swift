public import Glibc

/// A program that runs from a copy of itself in memory that nobody can write any more. Container runtimes do so, lest a
/// container writes their file (runc from 1.1.15 on always, crun).
///
/// Such a copy is held to be the image that it copies. That gives nothing to an attack: the bytes are those of a file
/// that the process could have run as it is, the seals keep them so, and whatever the process loads, makes or writes
/// besides is inspected as ever. Names decide nothing; they only say which files are compared.
public struct SealedCopy: Hashable, Sendable {
    /// A memory file, as the kernel states it.
    public var inode: UInt64
    public var device: MapEntry.Device
    /// The file that it is a copy of.
    public var original: String

    /// The largest program that is compared, in bytes.
    public static let largest = 64 << 20
    /// How many of the processes that led to the program are asked for their own.
    static let mostAncestors = 4
    /// Where a program of the name that the process goes by is looked for.
    static let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec", "/usr/lib/cri-o-runc/sbin"]

    /// What the program of a process is a sealed copy of; `nil` where it is none, or that can't be told any more.
    ///
    /// - Parameters:
    ///   - inode: of the memory file that is asked about: the process may run something else by now.
    ///   - mayCompare: asked with the program's length before it is read, which takes some milliseconds.
    public init?(programOf process: pid_t, inode: UInt64, mayCompare: (Int) -> Bool = { _ in true }) {
        guard let program = OpenFile("/proc/\(process)/exe"), program.inode == inode, program.isNameless,
            program.size > 0, program.size <= Self.largest,
            program.isSealed
        else { return nil }
        for path in Self.candidates(for: process) {
            guard let file = OpenFile(path), !file.isNameless, file.size == program.size, mayCompare(program.size),
                program.hasSameBytes(as: file)
            else { continue }
            self.inode = inode
            device = program.device
            original = path
            return
        }
        return nil
    }

    private static func candidates(for process: pid_t) -> [String] {
        var found: [String] = []
        var parent = OpenFile.text("/proc/\(process)/stat").flatMap(parentID(inStat:))
        while let id = parent, id > 0, found.count < mostAncestors {
            found.append("/proc/\(id)/exe")
            parent = OpenFile.text("/proc/\(id)/stat").flatMap(parentID(inStat:))
        }
        let name = OpenFile.text("/proc/\(process)/cmdline").flatMap(programName(inCommandLine:))
        return found + (name.map { name in folders.map { "\($0)/\(name)" } } ?? [])
    }

    /// The fourth field of `/proc/PID/stat`; the second, a name in parentheses, may hold anything.
    static func parentID(inStat text: String) -> pid_t? {
        guard let name = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: name)...].split(separator: " ")
        return fields.count > 1 ? pid_t(fields[1]) : nil
    }

    /// The last part of the first word of `/proc/PID/cmdline`.
    static func programName(inCommandLine text: String) -> String? {
        let first = text.prefix { $0 != "\0" }
        let name = first[(first.lastIndex(of: "/").map(first.index(after:)) ?? first.startIndex)...]
        return name.isEmpty || name == "." || name == ".." || name.utf8.count > 64 ? nil : String(name)
    }
}

/// A file that is open for reading, and what it is.
private struct OpenFile: ~Copyable {
    let descriptor: Int32
    let inode: UInt64
    let device: MapEntry.Device
    let size: Int
    /// No file system has a name for it: a memory file, or one that was removed.
    let isNameless: Bool

    /// `nil` for what can't be opened at once, or is no regular file.
    init?(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
        var state = stat()
        guard fstat(descriptor, &state) == 0, state.st_mode & S_IFMT == S_IFREG, let size = Int(exactly: state.st_size) else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        inode = UInt64(state.st_ino)
        device = MapEntry.Device(
            major: UInt32(truncatingIfNeeded: state.st_dev >> 8 & 0xFFF | state.st_dev >> 32 & ~0xFFF),
            minor: UInt32(truncatingIfNeeded: state.st_dev & 0xFF | state.st_dev >> 12 & ~0xFF))
        self.size = size
        isNameless = state.st_nlink == 0
    }

    deinit { close(descriptor) }

    /// Whether nobody can write it, now or later: F_GET_SEALS says F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE
    /// (`linux/fcntl.h`).
    var isSealed: Bool {
        let seals = fcntl(descriptor, 1034), wanted: Int32 = 0x2 | 0x4 | 0x8
        return seals >= 0 && seals & wanted == wanted
    }

    func hasSameBytes(as other: borrowing OpenFile) -> Bool {
        let chunk = 256 << 10
        return withUnsafeTemporaryAllocation(byteCount: 2 * chunk, alignment: 16) { room in
            guard let mine = room.baseAddress else { return false }
            let others = mine + chunk
            var offset = 0
            while offset < size {
                let count = min(chunk, size - offset)
                guard Self.read(descriptor, mine, count, offset), Self.read(other.descriptor, others, count, offset),
                    memcmp(mine, others, count) == 0
                else { return false }
                offset += count
            }
            return true
        }
    }

    private static func read(_ descriptor: Int32, _ room: UnsafeMutableRawPointer, _ count: Int, _ offset: Int) -> Bool {
        var done = 0
        while done < count {
            let got = pread(descriptor, room + done, count - done, off_t(offset + done))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return false }
            done += got
        }
        return true
    }

    /// The first page of a small file of /proc.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var room = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &room, room.count)
        return count > 0 ? String(decoding: room.prefix(count), as: UTF8.self) : nil
    }
}
