#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/common.sh"
cat >Work.cs <<'CS'
using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

class Work {
    [DllImport("libc", SetLastError = true)] static extern IntPtr sendto(int fd, byte[] text, IntPtr length, int flags, byte[] to, int size);
    [DllImport("libc")] static extern int socket(int family, int type, int protocol);
    [DllImport("libc")] static extern int system(string command);
    delegate int Compare(IntPtr x, IntPtr y);
    [DllImport("libc")] static extern void qsort(int[] numbers, IntPtr count, IntPtr size, Compare compare);

    static void Main() {
        var udp = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var own = (IPEndPoint)udp.Client.LocalEndPoint;
        var text = Encoding.ASCII.GetBytes("datagram");
        int length = 0;
        for (int n = 0; n < 1000; n++) {
            udp.Send(text, text.Length, own);
            IPEndPoint from = null;
            length += udp.Receive(ref from).Length;
        }
        Console.WriteLine("datagrams " + length);

        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port, lines = 0;
        var server = new Thread(() => {
            for (int n = 0; n < 200; n++)
                using (var peer = listener.AcceptTcpClient())
                using (var reader = new StreamReader(peer.GetStream()))
                    if (reader.ReadLine() == "line " + n) lines++;
        });
        server.Start();
        for (int n = 0; n < 200; n++)
            using (var client = new TcpClient("127.0.0.1", port))
            using (var writer = new StreamWriter(client.GetStream())) writer.WriteLine("line " + n);
        server.Join();
        Console.WriteLine("lines " + lines);

        var child = Process.Start(new ProcessStartInfo("echo", "child") { RedirectStandardOutput = true, UseShellExecute = false });
        Console.Write(child.StandardOutput.ReadToEnd());
        child.WaitForExit();

        // Native functions called by wrappers that are compiled at run time.
        var to = new byte[16];
        to[0] = 2; to[2] = (byte)(own.Port >> 8); to[3] = (byte)own.Port; to[4] = 127; to[7] = 1;
        int plain = socket(2, 2, 0), sent = 0;
        for (int n = 0; n < 200; n++) {
            sent += (int)sendto(plain, text, (IntPtr)8, 0, to, 16);
            IPEndPoint from = null;
            udp.Receive(ref from);
        }
        var numbers = new[] { 5, 3, 1, 4, 2 };
        qsort(numbers, (IntPtr)5, (IntPtr)4, (x, y) => Marshal.ReadInt32(x) - Marshal.ReadInt32(y));
        Console.WriteLine("native " + sent + " " + string.Join(" ", numbers) + " " + system("true"));
    }
}
CS
mcs -out:work.exe Work.cs
mono work.exe
