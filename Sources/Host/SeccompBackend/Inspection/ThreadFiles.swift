// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc

/// Open files of `/proc/TID` that an inspection reads.
///
/// `syscall` is bound to the thread: once the thread has ended, reading fails, even if its number was reused. `maps` and
/// `pagemap` are bound to the memory that the thread had when they were opened; see ``ThreadFilesCache``.
final class ThreadFiles {
    let registers: Int32
    let maps: Int32
    let pagemap: Int32
    /// The process's threads; negative where it can't be had.
    private let threads: Int32
    /// By which its calls came, in the memory that it had when the files were opened.
    var paths = KnownPaths()
    /// By the clock of the cache that it is in.
    fileprivate var lastUse: UInt64 = 0

    init(of thread: pid_t) throws(InspectionFailure) {
        let registers = epitope_open_process_file(thread, "syscall", O_RDONLY)
        guard registers >= 0 else { throw InspectionFailure(errno: -registers, reading: "registers") }
        let maps = epitope_open_process_file(thread, "maps", O_RDONLY)
        guard maps >= 0 else {
            close(registers)
            throw InspectionFailure(errno: -maps, reading: "maps")
        }
        self.registers = registers
        self.maps = maps
        pagemap = epitope_open_process_file(thread, "pagemap", O_RDONLY)
        threads = epitope_open_threads(thread)
    }

    /// Whether the process has no other thread now.
    var hasOneThread: Bool { threads >= 0 && epitope_thread_count(threads) == 1 }

    deinit {
        close(registers)
        close(maps)
        if pagemap >= 0 { close(pagemap) }
        if threads >= 0 { close(threads) }
    }
}

/// Keeps the files of threads open from call to call, as long as they are certainly the caller's.
///
/// A thread's number names the same thread as before if its `syscall` file can be read. Its memory is the same as
/// before unless the thread, or another one of its process, executed a program: every such call is notified, so
/// - files are dropped when their thread executes; its next call comes when that is over;
/// - a thread other than the first takes the first one's number when it executes. When that happens can't be observed, so
///   the files of a process's first thread aren't cached any more once another thread asked to execute.
/// All other threads end by an exec.
struct ThreadFilesCache {
    /// For how many threads files are cached by default: four descriptors each.
    static let defaultCapacity = 64
    /// How many processes are remembered as not to be cached. With more, nothing is cached at all.
    static let maxUncacheable = 4096
    /// How often the registers of a thread that is still on a processor are read again, and how often before it is slept in
    /// between.
    private static let maxRegisterReads = 2000
    private static let maxYields = 50
    private static let retryMicroseconds: useconds_t = 50

    private var cached: [pid_t: ThreadFiles] = [:]
    private var uncacheable: Set<pid_t> = []
    private var isOff = false
    private var clock: UInt64 = 0
    private let capacity: Int

    init(capacity: Int = defaultCapacity) {
        self.capacity = capacity
    }

    /// What is kept of a thread.
    subscript(thread: pid_t) -> ThreadFiles? { cached[thread] }

    /// The thread's files with its registers, read now.
    mutating func files(of thread: pid_t, executes: Bool) throws(InspectionFailure) -> (ThreadFiles, epitope_registers) {
        if executes { dropForExec(of: thread) }
        if let files = cached[thread] {
            do {
                let registers = try Self.registers(files)
                clock += 1
                files.lastUse = clock
                return (files, registers)
            } catch {
                cached[thread] = nil
            }
        }
        let files: ThreadFiles
        do {
            files = try ThreadFiles(of: thread)
        } catch {
            guard error.errno == EMFILE || error.errno == ENFILE, !cached.isEmpty else { throw error }
            cached.removeAll()
            files = try ThreadFiles(of: thread)
        }
        // An inspection without the page table treats everything as written: try again at the next call.
        if !executes, !isOff, files.pagemap >= 0, !uncacheable.contains(thread) { cache(files, of: thread) }
        return (files, try Self.registers(files))
    }

    private mutating func cache(_ files: ThreadFiles, of thread: pid_t) {
        if cached.count >= capacity, let oldest = cached.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            cached[oldest.key] = nil
        }
        clock += 1
        files.lastUse = clock
        cached[thread] = files
    }

    private mutating func dropForExec(of thread: pid_t) {
        cached[thread] = nil
        guard let first = ProcFS.status(of: thread, "Tgid"), uncacheable.count < Self.maxUncacheable else {
            isOff = true
            cached.removeAll()
            return
        }
        if first != thread {
            cached[first] = nil
            uncacheable.insert(first)
        }
    }

    private static func registers(_ files: ThreadFiles) throws(InspectionFailure) -> epitope_registers {
        var registers = epitope_registers()
        var attempts = 0
        while true {
            let status = epitope_read_registers_from(files.registers, &registers)
            if status == 0 { return registers }
            // EBUSY: on another processor, about to sleep; its notification came first.
            guard status == -EBUSY, attempts < maxRegisterReads else {
                throw InspectionFailure(errno: -status, reading: "registers")
            }
            attempts += 1
            if attempts > maxYields { usleep(retryMicroseconds) } else { sched_yield() }
        }
    }
}
