// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc

/// The files of `/proc/TID` that an inspection reads, open.
///
/// `syscall` is bound to the thread: once it has gone, reading fails, whoever has its number by then. `maps` and
/// `pagemap` are bound to the memory that the thread had when they were opened; see ``ThreadFilesCache``.
final class ThreadFiles {
    let registers: Int32
    let maps: Int32
    let pagemap: Int32

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
    }

    deinit {
        close(registers)
        close(maps)
        if pagemap >= 0 { close(pagemap) }
    }
}

/// Keeps the files of threads open from call to call, as long as they are surely the caller's.
///
/// A thread's number names the same thread as before if its `syscall` file can be read. Its memory is the same as
/// before unless the thread, or another one of its process, executed a program: every such call is notified, so
/// - files are dropped when their thread executes; its next call comes when that is over;
/// - a thread other than the first takes the first one's number when it executes: which is when that happens can't be
///   seen, so the files of a process's first thread aren't kept any more once another one asked to execute.
/// All other threads end by an exec.
struct ThreadFilesCache {
    /// Threads whose files are kept unless fewer are asked for: three descriptors each.
    static let most = 64
    /// Processes that are remembered for not being kept. With more, nothing is kept at all.
    static let mostExcluded = 4096

    private var kept: [pid_t: (files: ThreadFiles, lastUse: UInt64)] = [:]
    private var excluded: Set<pid_t> = []
    private var isOff = false
    private var clock: UInt64 = 0
    private let capacity: Int

    init(capacity: Int = most) {
        self.capacity = capacity
    }

    /// The thread's files with its registers, read now.
    mutating func files(of thread: pid_t, executes: Bool) throws(InspectionFailure) -> (ThreadFiles, epitope_registers) {
        if executes { dropForExec(of: thread) }
        if let files = kept[thread]?.files {
            do {
                let registers = try Self.registers(files)
                clock += 1
                kept[thread]?.lastUse = clock
                return (files, registers)
            } catch {
                kept[thread] = nil
            }
        }
        let files: ThreadFiles
        do {
            files = try ThreadFiles(of: thread)
        } catch {
            guard error.errno == EMFILE || error.errno == ENFILE, !kept.isEmpty else { throw error }
            kept.removeAll()
            files = try ThreadFiles(of: thread)
        }
        // An inspection without the page table holds everything for written: try again at the next call.
        if !executes, !isOff, files.pagemap >= 0, !excluded.contains(thread) { keep(files, of: thread) }
        return (files, try Self.registers(files))
    }

    private mutating func keep(_ files: ThreadFiles, of thread: pid_t) {
        if kept.count >= capacity, let oldest = kept.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            kept[oldest.key] = nil
        }
        clock += 1
        kept[thread] = (files, clock)
    }

    private mutating func dropForExec(of thread: pid_t) {
        kept[thread] = nil
        guard let first = ProcFS.status(of: thread, "Tgid"), excluded.count < Self.mostExcluded else {
            isOff = true
            kept.removeAll()
            return
        }
        if first != thread {
            kept[first] = nil
            excluded.insert(first)
        }
    }

    private static func registers(_ files: ThreadFiles) throws(InspectionFailure) -> epitope_registers {
        var registers = epitope_registers()
        var attempts = 0
        while true {
            let status = epitope_read_registers_from(files.registers, &registers)
            if status == 0 { return registers }
            // On another processor, on its way to sleep: its notification came first.
            guard status == -EBUSY, attempts < 2000 else {
                throw InspectionFailure(errno: -status, reading: "registers")
            }
            attempts += 1
            if attempts > 50 { usleep(50) } else { sched_yield() }
        }
    }
}
