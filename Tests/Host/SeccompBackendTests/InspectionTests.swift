// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection
import Testing

@testable import SeccompBackend

@Suite struct CallInstructionTests {
    @Test(arguments: [
        "e811223344", "ffd0", "41ffd3", "ff10", "ff5008", "ff9000010000", "ff1424", "ff542408", "ff942400010000",
        "ff1511223344", "ff1485002030ff", "41ff542408",
    ]) func `every length of a call is recognised`(_ hex: String) throws {
        let bytes = try #require(Hex.decode(hex))
        #expect(CallInstruction.ends(bytes))
        #expect(CallInstruction.ends([0x90, 0x90] + bytes))
    }

    @Test(arguments: ["", "ff", "c3", "0f05", "ffe0", "ff25aabbccdd", "9090909090909090", "ff5008aa", "e9112233"])
    func `other instructions are not`(_ hex: String) throws {
        #expect(!CallInstruction.ends(try #require(Hex.decode(hex))))
    }
}

@Suite struct AddressSpaceTests {
    @Test func `the kernels query and the text agree on every mapping`() throws {
        // A program that stands still: this one's mappings change under other tests.
        let child = try Child(["/bin/sleep", "600"])
        let query = AddressSpace(try ThreadFiles(of: child.pid), source: .automatic)
        let text = AddressSpace(try ThreadFiles(of: child.pid), source: .text)
        let entries = MapEntry.entries(inMaps: try #require(ProcFS.text(of: child.pid, "maps")))
        #expect(entries.count > 10)
        for entry in entries where entry.name != "[vsyscall]" {
            for address in [entry.start, entry.end - 1] {
                #expect(query.entry(at: address) == entry)
                #expect(text.entry(at: address) == entry)
                #expect(query.executableEntry(at: address) == text.executableEntry(at: address))
            }
            #expect(query.entry(at: entry.end) == text.entry(at: entry.end))
            #expect(query.executableEntry(at: entry.end) == text.executableEntry(at: entry.end))
        }
        #expect(query.entry(at: 0) == nil && query.executableEntry(at: .max - 1) == nil)
    }

    @Test func `maps lines are parsed and others passed over`() {
        let entries = MapEntry.entries(
            inMaps: """
                7f0000001000-7f0000002000 rw-s 00003000 fd:01 42    /a path with  spaces (deleted)
                7f0000002000-7f0000003000 r-xp 00000000 00:00 0
                7f0000003000-7f0000003000 r-xp 00000000 00:00 0
                nonsense
                7f-xx r-xp 0 0:0 0
                """)
        #expect(
            entries == [
                MapEntry(
                    start: 0x7f00_0000_1000, end: 0x7f00_0000_2000, protection: [.read, .write, .shared], offset: 0x3000,
                    device: .init(major: 0xfd, minor: 1), inode: 42, name: "/a path with  spaces (deleted)"),
                MapEntry(
                    start: 0x7f00_0000_2000, end: 0x7f00_0000_3000, protection: [.read, .execute], offset: 0,
                    device: .init(major: 0, minor: 0), inode: 0, name: ""),
            ])
    }

    @Test func `process that is not there is a failure that says so`() {
        #expect(throws: InspectionFailure(errno: ENOENT, reading: "registers")) {
            _ = try ThreadFiles(of: pid_t.max)
        }
        #expect(InspectionFailure(errno: EACCES, reading: "maps").description == "maps: Permission denied")
    }

    @Test func `file system of a device comes from the mounts`() {
        let text = """
            22 1 0:20 / /dev/shm rw,nosuid shared:3 - tmpfs tmpfs rw
            23 1 0:31 / / rw,relatime - overlay overlay rw,lowerdir=/x
            24 1 8:1
            """
        #expect(MountInfo.fileSystem(of: .init(major: 0, minor: 20), in: text) == "tmpfs")
        #expect(MountInfo.fileSystem(of: .init(major: 0, minor: 31), in: text) == "overlay")
        #expect(MountInfo.fileSystem(of: .init(major: 8, minor: 1), in: text) == nil)
        #expect(MountInfo.fileSystem(of: .init(major: 0, minor: 99), in: text) == nil)
    }

    @Test func `names alone make no memory file`() {
        let classifier = BackingClassifier()
        let disguised = MapEntry(
            start: 0x1000, end: 0x2000, protection: [.read, .execute], offset: 0, device: .init(major: 8, minor: 1),
            inode: 7, name: "/memfd:x (deleted)")
        #expect(classifier.backing(of: disguised, thread: getpid()) == .image(path: "/memfd:x (deleted)"))
        let named = MapEntry(
            start: 0x1000, end: 0x2000, protection: [.read, .execute], offset: 0, device: .init(major: 0, minor: 0),
            inode: 0, name: "[anon:/lib/libc.so.6]")
        #expect(classifier.backing(of: named, thread: getpid()) == .anonymous)
        let large = MapEntry(
            start: 0x1000, end: 0x2000, protection: [.read, .execute], offset: 0, device: .init(major: 0, minor: 17),
            inode: 5, name: "/anon_hugepage (deleted)")
        #expect(classifier.backing(of: large, thread: getpid()) == .anonymous)
    }
}

@Suite struct SocketAddressTests {
    @Test func `addresses are read as people write them`() {
        let ipv4: [UInt8] = [2, 0, 0x1F, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
        #expect(SocketAddress.endpoint(ipv4) == SocketEndpoint(address: "127.0.0.1", port: 8080))
        let ipv6: [UInt8] = [10, 0, 0, 53, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 15) + [1, 0, 0, 0, 0]
        #expect(SocketAddress.endpoint(ipv6) == SocketEndpoint(address: "::1", port: 53))
        let mapped: [UInt8] = [10, 0, 0, 53, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 10) + [255, 255, 192, 0, 2, 7]
        #expect(SocketAddress.endpoint(mapped) == SocketEndpoint(address: "192.0.2.7", port: 53))
        #expect(SocketAddress.endpoint([1, 0] + Array("/run/x".utf8) + [0, 9]) == SocketEndpoint(address: "/run/x", port: 0))
        #expect(SocketAddress.endpoint([1, 0, 0] + Array("x".utf8)) == SocketEndpoint(address: "@x", port: 0))
    }

    @Test(arguments: [[], [2], [2, 0, 1, 2, 3], [10, 0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 0], [1, 0, 0x41][..<2] + [], [99, 0, 1, 2]])
    func `truncated and foreign addresses are none`(_ bytes: [UInt8]) {
        #expect(SocketAddress.endpoint(bytes) == nil)
    }
}

/// A process of the test's own, ended with it.
final class Child {
    let pid: pid_t

    /// - Parameter sleeps: whether the program sleeps, and is waited for until it does.
    init(_ arguments: [String], sleeps: Bool = true) throws {
        var pid = pid_t()
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        let status = posix_spawn(&pid, arguments[0], nil, nil, &pointers, nil)
        try #require(status == 0)
        self.pid = pid
        // Its mappings stand once the program sleeps.
        for _ in 0..<(sleeps ? 2000 : 0) {
            if ProcFS.text(of: pid, "wchan")?.contains("nanosleep") == true
                || ProcFS.text(of: pid, "syscall")?.hasPrefix("230 ") == true
            {
                break
            }
            usleep(1000)
        }
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}

@Suite struct MappedFileTests {
    @Test func `a mapping of a file is stated as others mappings of it`() throws {
        let child = try Child(["/bin/sleep", "600"])
        let images = MapEntry.entries(inMaps: ProcFS.text(of: child.pid, "maps") ?? "").filter {
            $0.inode != 0 && $0.protection.contains(.execute)
        }
        #expect(images.count >= 2, "the program and its libraries")
        var inode: UInt64 = 0
        var device = MapEntry.Device(major: 0, minor: 0)
        for image in images {
            let file = open(image.name, O_RDONLY | O_CLOEXEC)
            defer { close(file) }
            #expect(epitope_mapped_identity(file, &inode, &device.major, &device.minor) == 0)
            #expect(inode == image.inode && device == image.device, "\(image.name)")
        }
        #expect(epitope_mapped_identity(-1, &inode, &device.major, &device.minor) == -EBADF)
    }
}
